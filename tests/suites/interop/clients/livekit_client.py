"""A conversation through a plug-in of LiveKit Agents, unmodified. Usage: deepgram|assemblyai|openai|whisper ADDRESS AUDIO [FINALS]

Prints the events of its stream, as lines of JSON, up to so many final transcripts, if the stream does not end by itself.
"""

import asyncio
import json
import sys

import aiohttp
from livekit import rtc
from livekit.agents import utils

RATE = 16000
# Bytes of a frame: 50 ms of 16 bit.
FRAME = 1600

plugin, address, path = sys.argv[1:4]
finals = int(sys.argv[4]) if len(sys.argv) > 4 else None
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
    if plugin == "openai":
        from livekit.plugins import openai

        return openai.STT(use_realtime=True, model="gpt-4o-transcribe", api_key="any", base_url=f"http://{address}/v1")
    if plugin == "whisper":
        from livekit.plugins import openai

        return openai.STT(use_realtime=False, model="whisper-1", api_key="any", base_url=f"http://{address}/v1")
    raise ValueError(f"plugin: found {plugin}")


def report(event):
    alternatives = [{"text": each.text, "start": each.start_time, "end": each.end_time} for each in event.alternatives]
    print(json.dumps({"event": event.type.value, "alternatives": alternatives}), flush=True)


async def recognise():
    """All of the audio at once, as agents have it that find utterances themselves."""
    async with utils.http_context.open():
        frame = rtc.AudioFrame(data=audio, sample_rate=RATE, num_channels=1, samples_per_channel=len(audio) // 2)
        report(await recogniser(None).recognize(buffer=[frame]))


async def main():
    # That of an agent, for a plug-in that takes none.
    async with aiohttp.ClientSession() as session, utils.http_context.open():
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
        left = finals or -1
        async for event in stream:
            report(event)
            left -= event.type.value == "final_transcript"
            if left == 0:
                break
        await task
        await stream.aclose()
        await engine.aclose()


asyncio.run(recognise() if plugin == "whisper" else main())
