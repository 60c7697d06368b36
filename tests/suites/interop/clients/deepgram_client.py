"""A conversation through Deepgram's SDK for Python, unmodified. Usage: sync|async WS_ADDRESS KEY AUDIO [QUERY AS JSON [waits]]

With `waits`, the audio goes on until the server ends the conversation.

Prints what the application sees, as lines of JSON.
"""

import asyncio
import json
import sys
import threading

from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import ListenV1CloseStream, ListenV1Finalize, ListenV1KeepAlive

# Bytes of a message: 50 ms of 16 kHz, 16 bit.
PIECE = 1600
# Longest wait for an interim result, seconds.
PATIENCE = 30

kind, address, key, path = sys.argv[1:5]
query = {
    "model": "nova-3",
    "encoding": "linear16",
    "sample_rate": 16000,
    "interim_results": True,
    "vad_events": True,
    "utterance_end_ms": 1000,
    **json.loads(sys.argv[5] if len(sys.argv) > 5 else "{}"),
}
rest = address.replace("ws", "http", 1)
environment = DeepgramClientEnvironment(base=rest, production=address, agent=address, agent_rest=rest)
waits = len(sys.argv) > 6
with open(path, "rb") as file:
    audio = file.read()
half = len(audio) // 2 // PIECE * PIECE
pieces = [audio[at : at + PIECE] for at in range(0, len(audio), PIECE)]


def show(event, **fields):
    # Threads call this: `print` writes the end of a line by itself.
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


def listen(socket, interim):
    """Shows every event, and the class that each message has become. Sets `interim` with the first interim result."""

    def received(message):
        content = None if message is None else json.loads(message.model_dump_json(exclude_none=True))
        show("message", type=type(message).__name__, message=content)
        if type(message).__name__ == "ListenV1Results" and not message.is_final:
            interim.set()

    socket.on(EventType.OPEN, lambda _: show("open"))
    socket.on(EventType.ERROR, lambda error: show("error", message=str(error)))
    socket.on(EventType.CLOSE, lambda _: show("close"))
    socket.on(EventType.MESSAGE, received)


def converse():
    client = DeepgramClient(api_key=key, environment=environment)
    interim = threading.Event()
    with client.listen.v1.connect(**query) as socket:
        listen(socket, interim)
        reader = threading.Thread(target=socket.start_listening)
        reader.start()
        for number, piece in enumerate(pieces):
            if number * PIECE == half and not waits:
                # At full speed, the final would be there before any interim.
                interim.wait(PATIENCE)
                socket.send_finalize(ListenV1Finalize(type="Finalize"))
                socket.send_keep_alive(ListenV1KeepAlive(type="KeepAlive"))
            socket.send_media(piece)
        if not waits:
            socket.send_close_stream(ListenV1CloseStream(type="CloseStream"))
        reader.join()


async def converse_async():
    client = AsyncDeepgramClient(api_key=key, environment=environment)
    interim = asyncio.Event()
    async with client.listen.v1.connect(**query) as socket:
        listen(socket, interim)
        reader = asyncio.create_task(socket.start_listening())
        for number, piece in enumerate(pieces):
            if number * PIECE == half and not waits:
                await asyncio.wait_for(interim.wait(), PATIENCE)
                await socket.send_finalize(ListenV1Finalize(type="Finalize"))
                await socket.send_keep_alive(ListenV1KeepAlive(type="KeepAlive"))
            await socket.send_media(piece)
        if not waits:
            await socket.send_close_stream(ListenV1CloseStream(type="CloseStream"))
        await reader


try:
    if kind == "sync":
        converse()
    else:
        asyncio.run(converse_async())
except Exception as error:  # What an application would see.
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    show("raised", type=type(error).__name__, status=status)
