"""A program that uses the package `wyoming` as Home Assistant does, and prints what it has seen as lines of JSON.

Arguments: the URI of the server, and a file of audio: 16 kHz, 16 bit, mono.
"""

import asyncio
import json
import sys

from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

FORMAT = {"rate": 16_000, "width": 2, "channels": 1}
SAMPLES_PER_CHUNK = 1_024
#: Time that Home Assistant waits for the description of a server, seconds.
INFO_TIMEOUT = 1
TIMEOUT = 60

uri, path = sys.argv[1:]
with open(path, "rb") as file:
    audio = file.read()


def show(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


async def describe():
    async with AsyncClient.from_uri(uri) as client, asyncio.timeout(INFO_TIMEOUT):
        await client.write_event(Describe().event())
        while True:
            event = await client.read_event()
            if event is None:
                return show("end")
            if Info.is_type(event.type):
                [program] = Info.from_event(event).asr
                [model] = program.models
                return show(
                    "info",
                    installed=program.installed,
                    streaming=program.supports_transcript_streaming,
                    model=model.name,
                    languages=model.languages,
                    attribution=model.attribution.name,
                )


async def command(client):
    await client.write_event(Transcribe(language="en").event())
    await client.write_event(AudioStart(**FORMAT).event())
    size = SAMPLES_PER_CHUNK * FORMAT["width"]
    for at in range(0, len(audio), size):
        chunk = AudioChunk(**FORMAT, audio=audio[at : at + size], timestamp=at // 32)
        await client.write_event(chunk.event())
    await client.write_event(AudioStop().event())


async def converse():
    async with AsyncClient.from_uri(uri) as client, asyncio.timeout(TIMEOUT):
        for number in range(2):
            await command(client)
            await client.write_event(Ping(text=f"ping {number}").event())
            while True:
                event = await client.read_event()
                if event is None:
                    return show("end")
                if Pong.is_type(event.type):
                    show("pong", text=Pong.from_event(event).text)
                    break
                for kind in (TranscriptStart, TranscriptChunk, Transcript, TranscriptStop):
                    if kind.is_type(event.type):
                        seen = kind.from_event(event)
                        show(event.type, text=getattr(seen, "text", None), language=getattr(seen, "language", None))


asyncio.run(describe())
asyncio.run(converse())
