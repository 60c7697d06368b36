"""Conversations through AssemblyAI's SDK for Python, unmodified, at once. Usage: AUDIO CONVERSATIONS AS JSON

A conversation is `{ name, kind, url, key, parameters }`, `kind` is sync or async; one that `waits` does not end by
itself. Prints what the application sees, as lines of JSON with the name of the conversation.
"""

import asyncio
import json
import sys
import threading

from assemblyai.streaming.v3 import (
    AsyncRealTimeTranscriber,
    RealTimeEvents,
    RealTimeParameters,
    RealTimeSessionParameters,
    RealTimeTranscriber,
    RealTimeTranscriberOptions,
)

# Bytes of a message: 50 ms of 16 kHz, 16 bit.
PIECE = 1600
# Longest wait for a partial turn, or for the end, seconds.
PATIENCE = 30

path, conversations = sys.argv[1:3]
with open(path, "rb") as file:
    audio = file.read()
half = len(audio) // 2 // PIECE * PIECE
first, second = [
    [part[at : at + PIECE] for at in range(0, len(part), PIECE)] for part in (audio[:half], audio[half:])
]


def parameters_of(conversation):
    asked = {"format_turns": True, "min_turn_silence": 400, "keyterms_prompt": ["Streamer"]}
    given = conversation.get("parameters", {})
    return RealTimeParameters(**{"sample_rate": 16000, "encoding": "pcm_s16le", **asked, **given})


def listen(transcriber, name, partial, ended):
    """Shows every event. Sets `partial` with the first partial turn, and `ended` with the end."""

    def show(event, **fields):
        # Threads call this: `print` writes the end of a line by itself.
        sys.stdout.write(json.dumps({"name": name, "event": event, **fields}) + "\n")
        sys.stdout.flush()

    def received(_, message):
        fields = json.loads(message.model_dump_json(exclude_none=True))
        if message.type == "Begin":
            # As it was on the wire.
            fields["expires_at"] = int(message.expires_at.timestamp())
        show("message", type=type(message).__name__, message=fields)
        if message.type == "Turn" and not message.end_of_turn:
            partial.set()
        if message.type == "Termination":
            ended.set()

    def failed(_, error):
        show("error", code=error.code, text=str(error))
        partial.set()
        ended.set()

    for event in RealTimeEvents:
        transcriber.on(event, failed if event is RealTimeEvents.Error else received)
    return show


def converse(conversation):
    options = RealTimeTranscriberOptions(api_key=conversation["key"], api_host=conversation["url"])
    waits = conversation.get("waits", False)
    transcriber = RealTimeTranscriber(options)
    partial, ended = threading.Event(), threading.Event()
    show = listen(transcriber, conversation["name"], partial, ended)
    transcriber.connect(parameters_of(conversation))
    if ended.is_set():
        return
    transcriber.stream(first)
    # At full speed, the end of the turn would be there before any partial one.
    partial.wait(PATIENCE)
    transcriber.force_endpoint()
    transcriber.keep_alive()
    transcriber.set_params(RealTimeSessionParameters(max_turn_silence=900))
    transcriber.stream(second)
    if waits:
        ended.wait(PATIENCE)
    transcriber.disconnect(terminate=not waits)
    show("ended")


async def converse_async(conversation):
    options = RealTimeTranscriberOptions(api_key=conversation["key"], api_host=conversation["url"])
    waits = conversation.get("waits", False)
    transcriber = AsyncRealTimeTranscriber(options)
    partial, ended = asyncio.Event(), asyncio.Event()
    show = listen(transcriber, conversation["name"], partial, ended)
    await transcriber.connect(parameters_of(conversation))
    if ended.is_set():
        return
    await transcriber.stream(first)
    await asyncio.wait_for(partial.wait(), PATIENCE)
    await transcriber.force_endpoint()
    await transcriber.keep_alive()
    await transcriber.set_params(RealTimeSessionParameters(max_turn_silence=900))
    await transcriber.stream(second)
    if waits:
        await asyncio.wait_for(ended.wait(), PATIENCE)
    await transcriber.disconnect(terminate=not waits)
    show("ended")


async def main():
    talks = [
        converse_async(each) if each["kind"] == "async" else asyncio.to_thread(converse, each)
        for each in json.loads(conversations)
    ]
    await asyncio.gather(*talks)


asyncio.run(main())
