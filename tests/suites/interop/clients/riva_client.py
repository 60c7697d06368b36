"""Riva's and Google's clients for Python, unmodified. Prints lines of JSON.

riva_client.py TARGET API MODE FILE [TOKEN]
"""

import json
import sys
import time
import wave
from pathlib import Path

import grpc

target, api, mode, path = sys.argv[1:5]
token = sys.argv[5] if len(sys.argv) > 5 else ""
PIECE = 9_600
WAV_HEADER_BYTES = 44
RECOGNIZER = "projects/p/locations/global/recognizers/_"


def say(kind, **fields):
    print(json.dumps({"kind": kind, **fields}), flush=True)


def seconds(value):
    return value.total_seconds() if hasattr(value, "total_seconds") else value / 1000


def tell(result, **more):
    best = result.alternatives[0]
    first, last = (best.words[0], best.words[-1]) if best.words else (None, None)
    names = ("start_offset", "end_offset") if api == "google-v2" else ("start_time", "end_time")
    span = [seconds(getattr(first, names[0])), seconds(getattr(last, names[1]))] if first else []
    say("result", channel=result.channel_tag, text=best.transcript, span=span, **more)


def pieces():
    data = Path(path).read_bytes()
    for at in range(0, len(data), PIECE):
        yield data[at : at + PIECE]
    if mode == "drained":
        time.sleep(10)


def flood():
    until = time.monotonic() + 3
    data = Path(path).read_bytes()
    yield data[:WAV_HEADER_BYTES]
    while True:
        for at in range(WAV_HEADER_BYTES, len(data), PIECE):
            if time.monotonic() > until:
                return
            yield data[at : at + PIECE]
            progress[0] += PIECE


progress = [0]


def metadata(more=()):
    return [("authorization", f"Bearer {token}"), *more] if token else list(more)


def code_of(error):
    found = error if isinstance(error, grpc.RpcError) else error.__cause__
    trailers = dict(found.trailing_metadata() or ())
    say("status", code=found.code().name, details=found.details(), error=trailers.get("streamer-error"))


def riva():
    import riva.client
    from riva.client.proto import riva_asr_pb2

    auth = riva.client.Auth(uri=target, metadata_args=[list(pair) for pair in metadata()])
    service = riva.client.ASRService(auth)
    config = riva.client.RecognitionConfig(language_code="en-US", enable_word_time_offsets=True, model="theirs")
    if mode == "refused":
        config.encoding = riva.client.AudioEncoding.FLAC
    else:
        riva.client.add_audio_file_specs_to_config(config, path)
    if mode == "file":
        for result in service.offline_recognize(Path(path).read_bytes(), config).results:
            tell(result)
        return
    if mode == "models":
        asked = riva_asr_pb2.RivaSpeechRecognitionConfigRequest()
        answer = service.stub.GetRivaSpeechRecognitionConfig(asked, metadata=auth.get_auth_metadata())
        for model in answer.model_config:
            say("model", name=model.model_name, parameters=dict(model.parameters))
        return
    streaming = riva.client.StreamingRecognitionConfig(config=config, interim_results=True)
    if mode == "held":
        audio = flood()
    else:
        audio = pieces() if mode == "drained" else riva.client.AudioChunkFileIterator(path, 2_400)
    for response in service.streaming_response_generator(audio_chunks=audio, streaming_config=streaming):
        for result in response.results:
            tell(result, final=result.is_final)


def google_v1():
    from google.cloud import speech_v1 as speech
    from google.cloud.speech_v1.services.speech.transports import SpeechGrpcTransport

    if mode == "tls":
        client = speech.SpeechClient(client_options={"api_endpoint": target, "api_key": token})
    else:
        client = speech.SpeechClient(transport=SpeechGrpcTransport(channel=grpc.insecure_channel(target)))
    config = speech.RecognitionConfig(language_code="en-US", enable_word_time_offsets=True, model="latest_long")
    if mode == "refused":
        config.encoding = speech.RecognitionConfig.AudioEncoding.OGG_OPUS
        config.sample_rate_hertz = 16_000
    if mode in ("raw", "single"):
        with wave.open(path) as file:
            config.encoding = speech.RecognitionConfig.AudioEncoding.LINEAR16
            config.sample_rate_hertz = file.getframerate()
            config.audio_channel_count = file.getnchannels()
    if mode == "file":
        audio = speech.RecognitionAudio(content=Path(path).read_bytes())
        for result in client.recognize(config=config, audio=audio, metadata=metadata()).results:
            tell(result)
        return
    streaming = speech.StreamingRecognitionConfig(
        config=config,
        interim_results=True,
        enable_voice_activity_events=mode == "raw",
        single_utterance=mode == "single",
    )
    requests = (speech.StreamingRecognizeRequest(audio_content=piece) for piece in pieces())
    for response in client.streaming_recognize(streaming, requests, metadata=metadata()):
        if response.speech_event_type:
            say("event", type=int(response.speech_event_type), time=seconds(response.speech_event_time))
        for result in response.results:
            tell(result, final=result.is_final)


def google_v2():
    from google.cloud import speech_v2 as speech
    from google.cloud.speech_v2.services.speech.transports import SpeechGrpcTransport

    client = speech.SpeechClient(transport=SpeechGrpcTransport(channel=grpc.insecure_channel(target)))
    config = speech.RecognitionConfig(
        auto_decoding_config=speech.AutoDetectDecodingConfig(),
        language_codes=["en-US"],
        model="long",
        features=speech.RecognitionFeatures(enable_word_time_offsets=True),
    )
    if mode == "file":
        request = speech.RecognizeRequest(recognizer=RECOGNIZER, config=config, content=Path(path).read_bytes())
        for result in client.recognize(request=request, metadata=metadata()).results:
            tell(result)
        return

    def requests():
        streaming = speech.StreamingRecognitionConfig(
            config=config, streaming_features=speech.StreamingRecognitionFeatures(interim_results=True)
        )
        yield speech.StreamingRecognizeRequest(recognizer=RECOGNIZER, streaming_config=streaming)
        for piece in pieces():
            yield speech.StreamingRecognizeRequest(audio=piece)

    for response in client.streaming_recognize(requests=requests(), metadata=metadata()):
        for result in response.results:
            tell(result, final=result.is_final)


try:
    {"riva": riva, "google-v1": google_v1, "google-v2": google_v2}[api]()
    say("status", code="OK")
except Exception as error:  # Google's client has errors of its own, with that of grpcio as the cause.
    if not isinstance(error, grpc.RpcError) and not isinstance(error.__cause__, grpc.RpcError):
        raise
    code_of(error)
if mode == "held":
    say("held", bytes=progress[0])
