"""A client of streamer.v1.Streamer with grpcio and code generated from streamer.proto. Prints lines of JSON.

grpc_client.py PROTO_FOLDER TARGET MODE [FILE]
"""

import importlib
import json
import sys
import tempfile
import time
import wave
from pathlib import Path

import grpc
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_tools import protoc

protos, target, mode = sys.argv[1:4]


def generate():
    folder = tempfile.mkdtemp(prefix="streamer-grpc-")
    include = Path(importlib.import_module("grpc_tools").__file__).parent / "_proto"
    arguments = ["", f"-I{protos}", f"-I{include}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    if protoc.main([*arguments, "streamer/v1/streamer.proto"]) != 0:
        sys.exit("protoc has failed")
    sys.path.insert(0, folder)


generate()
pb = importlib.import_module("streamer.v1.streamer_pb2")
rpc = importlib.import_module("streamer.v1.streamer_pb2_grpc")
channel = grpc.insecure_channel(target, options=[("grpc.http2.bdp_probe", 0)])
stub = rpc.StreamerStub(channel)


def say(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), flush=True)


def start(pattern, **fields):
    shape = {"channels": 1, "sample_rate": 16000, "bit_depth": 16}
    shape.update(fields)
    return pb.StreamRequest(start=pb.Start(pattern=pattern, format=pb.Format(**shape)))


def report(call, read=True):
    try:
        for response in call if read else ():
            say("event", **MessageToDict(response, preserving_proto_field_name=True))
        say("status", code=call.code().name)
    except grpc.RpcError as error:
        trailers = {key: value for key, value in error.trailing_metadata() or ()}
        say("status", code=error.code().name, details=error.details(), error=trailers.get("streamer-error"))


def speech(path):
    with wave.open(path) as file:
        rate = file.getframerate()
        yield start("segmented", channels=file.getnchannels(), sample_rate=rate)
        while audio := file.readframes(rate // 10):
            yield pb.StreamRequest(audio=audio)


if mode == "speech":
    report(stub.Stream(speech(sys.argv[4])))
elif mode == "services":
    database = ProtoReflectionDescriptorDatabase(channel)
    say("services", names=sorted(database.get_services()))
    described = database.FindFileByName("streamer/v1/streamer.proto")
    names = [message.name for message in described.message_type]
    say("messages", same=names == [name for name in pb.DESCRIPTOR.message_types_by_name])
    health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="streamer.v1.Streamer"))
    say("health", status=health_pb2.HealthCheckResponse.ServingStatus.Name(health.status))
elif mode == "refused":
    report(stub.Stream(iter([start("nope")])))
elif mode == "held":
    # A model that takes its time: how far ahead may the client get?
    sent = [0]

    def flood():
        yield start("simple")
        while sent[0] < 40_000_000:
            yield pb.StreamRequest(audio=bytes(32_000))
            sent[0] += 32_000

    call = stub.Stream(flood())
    next(call)
    before = -1
    while sent[0] != before:
        before = sent[0]
        time.sleep(1)
    say("held", bytes=before)
    call.cancel()
elif mode == "slow":
    def wrong():
        yield start("simple")
        while True:
            yield start("x" * 60)

    call = stub.Stream(wrong())
    next(call)
    while call.is_active():
        time.sleep(0.2)
    report(call, read=False)
