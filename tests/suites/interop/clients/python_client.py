"""Drives the client library for Python: runs the jobs of its argument, and prints what each has given as JSON."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time

import streamer_client
from streamer_client import AudioFormat, aio

#: Seconds without a sign of life after which a frozen server is left.
FROZEN_SECONDS = 1


def described(error):
    fields = ("code", "param", "status", "close_code", "problems", "retryable")
    found = {name: getattr(error, name) for name in fields if getattr(error, name, None) is not None}
    event = getattr(error, "event", None)
    return {"type": type(error).__name__, "message": str(error), **found, "event": event and event.raw}


def pieces(job, audio, frame_bytes):
    """The audio in pieces of 100 ms."""
    size = job["format"]["sample_rate"] // 10 * frame_bytes
    return [audio[at : at + size] for at in range(0, len(audio), size)]


def outcome(stream, events):
    return {"events": events, "resumptions": stream.resumptions, "sent": stream.sent_bytes}


class Blocking:
    """Each job with the blocking interface. A method returns what is printed."""

    def file(self, job):
        options = job.get("options", {})
        events = [event.raw for event in streamer_client.stream_file(job["url"], job["file"], **options)]
        text = streamer_client.transcribe_file(job["url"], job["file"], **options).text
        return {"events": events, "text": text}

    def pcm(self, job):
        with open(job["file"], "rb") as file:
            audio = file.read()
        with streamer_client.connect(job["url"], job["format"], **job.get("options", {})) as stream:
            parts = pieces(job, audio, stream.format.frame_bytes)

            def send():
                for index, part in enumerate(parts):
                    stream.send(part)
                    if index == len(parts) // 2:
                        stream.flush()
                    time.sleep(job.get("pause", 0))
                stream.stop()

            sender = threading.Thread(target=send)
            sender.start()
            events = []
            for event in stream:
                events.append(event.raw)
                time.sleep(job.get("slowness", 0))
            sender.join()
            return outcome(stream, events)

    def connect(self, job):
        """Connect as often as there are tokens, or once, and close everything after that."""
        with contextlib.ExitStack() as streams:
            for _ in range(job.get("times", 1)):
                streams.enter_context(
                    streamer_client.connect(job["url"], job.get("format", AudioFormat()), **job.get("options", {}))
                )
            return {"connected": True}

    def signalled(self, job):
        """Send a signal to the server in the middle of a stream."""
        options = {"resume_timeout": 0, "timeout": FROZEN_SECONDS}
        with streamer_client.connect(job["url"], AudioFormat(), **options) as stream:
            stream.send(bytes(32_000))
            stream.receive()
            os.kill(job["pid"], getattr(signal, job["signal"]))
            try:
                for _ in stream:
                    pass
            finally:
                if job["signal"] == "SIGSTOP":
                    os.kill(job["pid"], signal.SIGCONT)
        return {}


class Asynchronous:
    """The same jobs with the interface for asyncio."""

    async def file(self, job):
        options = job.get("options", {})
        events = [event.raw async for event in aio.stream_file(job["url"], job["file"], **options)]
        text = (await aio.transcribe_file(job["url"], job["file"], **options)).text
        return {"events": events, "text": text}

    async def pcm(self, job):
        with open(job["file"], "rb") as file:
            audio = file.read()
        async with aio.connect(job["url"], job["format"], **job.get("options", {})) as stream:
            parts = pieces(job, audio, stream.format.frame_bytes)

            async def send():
                for index, part in enumerate(parts):
                    await stream.send(part)
                    if index == len(parts) // 2:
                        await stream.flush()
                    await asyncio.sleep(job.get("pause", 0))
                await stream.stop()

            sending = asyncio.ensure_future(send())
            events = []
            async for event in stream:
                events.append(event.raw)
                await asyncio.sleep(job.get("slowness", 0))
            await sending
            return outcome(stream, events)

    async def connect(self, job):
        async with contextlib.AsyncExitStack() as streams:
            for _ in range(job.get("times", 1)):
                options = job.get("options", {})
                stream = await aio.connect(job["url"], job.get("format", AudioFormat()), **options)
                await streams.enter_async_context(stream)
            return {"connected": True}

    async def signalled(self, job):
        options = {"resume_timeout": 0, "timeout": FROZEN_SECONDS}
        async with aio.connect(job["url"], AudioFormat(), **options) as stream:
            await stream.send(bytes(32_000))
            await stream.receive()
            os.kill(job["pid"], getattr(signal, job["signal"]))
            try:
                async for _ in stream:
                    pass
            finally:
                if job["signal"] == "SIGSTOP":
                    os.kill(job["pid"], signal.SIGCONT)
        return {}


def run(job):
    interface = Blocking() if job["interface"] == "blocking" else Asynchronous()
    try:
        found = getattr(interface, job["do"])(job)
        if job["interface"] != "blocking":
            found = asyncio.run(found)
    except Exception as error:
        found = {"error": described(error)}
    return {"name": job["name"], "interface": job["interface"], **found}


for each in json.load(sys.stdin):
    print(json.dumps(run(each)), flush=True)
