"""Conversations through Speechmatics' SDK for Python, unmodified. Usage: CONVERSATIONS AS JSON

Prints what the application sees in each, as lines of JSON.
"""

import asyncio
import json
import sys

from speechmatics.rt import AsyncClient, AudioFormat, ServerMessageType, TranscriptionConfig, TranscriptResult

# Bytes of a message: 50 ms of 16 kHz, 16 bit.
PIECE = 1600


async def converse(name, url, key, audio, format=None, config={}, flush=False, waits=False):
    """format: none: a file. flush: ForceEndOfUtterance in the middle. waits: the server ends."""

    def show(**line):
        print(json.dumps({"name": name, **line}), flush=True)

    partial, ended = asyncio.Event(), asyncio.Event()

    def seen(message):
        show(event="message", message=message)
        kind = message["message"]
        if kind in (ServerMessageType.ADD_TRANSCRIPT, ServerMessageType.ADD_PARTIAL_TRANSCRIPT):
            # It raises for what it cannot read.
            TranscriptResult.from_message(message)
        if kind == ServerMessageType.ADD_PARTIAL_TRANSCRIPT:
            partial.set()
        if kind in (ServerMessageType.END_OF_TRANSCRIPT, ServerMessageType.ERROR):
            ended.set()

    with open(audio, "rb") as file:
        samples = file.read()
    half = len(samples) // 2 // PIECE * PIECE
    if format is None:
        audio_format = AudioFormat()
    else:
        audio_format = AudioFormat(encoding=format["encoding"], sample_rate=format["sample_rate"])
    transcription_config = TranscriptionConfig(**{"language": "en", "enable_partials": True, **config})
    try:
        async with AsyncClient(api_key=key, url=url) as client:
            for kind in ServerMessageType:
                client.on(kind, seen)
            await client.start_session(transcription_config=transcription_config, audio_format=audio_format)
            await send(client, samples[:half])
            if flush:
                await asyncio.wait_for(partial.wait(), 30)
                await client.force_end_of_utterance()
                await client.send_message({"message": "GetSpeakers"})
            await send(client, samples[half:])
            if waits:
                await ended.wait()
            else:
                await client.stop_session()
    except Exception as error:
        show(event="error", reason=str(error))


async def send(client, samples):
    for at in range(0, len(samples), PIECE):
        await client.send_audio(samples[at : at + PIECE])


async def main():
    await asyncio.gather(*(converse(**conversation) for conversation in json.loads(sys.argv[1])))


asyncio.run(main())
