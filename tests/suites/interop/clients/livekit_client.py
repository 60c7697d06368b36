"""A conversation through a plug-in of LiveKit Agents, unmodified. Usage: deepgram|assemblyai ADDRESS AUDIO

Prints the events of its stream, as lines of JSON.
"""

import asyncio
import json
import sys

import aiohttp
from livekit import rtc

RATE = 16000
# Bytes of a frame: 50 ms of 16 bit.
FRAME = 1600

plugin, address, path = sys.argv[1:4]
with open(path, "rb") as file:
    audio = file.read()


def recogniser(session):
    """What an agent is given as its recogniser."""
    if plugin == "deepgram":
        from livekit.plugins import deepgram

        return deepgram.STT(api_key="any", base_url=f"http://{address}/v1/listen", http_session=session)
    if plugin == "assemblyai":
        from livekit.plugins import assemblyai

        return assemblyai.STT(api_key="any", base_url=f"ws://{address}", http_session=session)
    raise ValueError(f"plugin: found {plugin}")


async def main():
    async with aiohttp.ClientSession() as session:
        engine = recogniser(session)
        stream = engine.stream()

        async def feed():
            for at in range(0, len(audio) - FRAME + 1, FRAME):
                piece = audio[at : at + FRAME]
                stream.push_frame(
                    rtc.AudioFrame(data=piece, sample_rate=RATE, num_channels=1, samples_per_channel=len(piece) // 2)
                )
                # As fast as an agent would get it.
                await asyncio.sleep(0.05)
            stream.end_input()

        task = asyncio.create_task(feed())
        async for event in stream:
            alternatives = [
                {"text": each.text, "start": each.start_time, "end": each.end_time} for each in event.alternatives
            ]
            print(json.dumps({"event": event.type.value, "alternatives": alternatives}), flush=True)
        await task


asyncio.run(main())
