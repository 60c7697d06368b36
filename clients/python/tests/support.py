"""A server that does what a test says, and events as a server sends them."""

import asyncio
import json
from contextlib import asynccontextmanager

from websockets.asyncio.server import serve

LIMITS = {"max_message_bytes": 1000, "max_channels": 16, "idle_timeout_ms": 60000, "session_ms": 0}
FORMAT = {"channels": 1, "sample_rate": 16000, "bit_depth": 16, "is_float": False, "encoding": "pcm"}


def started(**fields):
    return {
        "type": "started",
        "session_id": "AAAAAAAAAAAAAAAAAAAAAA",
        "stream": 0,
        "trace_id": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "format": FORMAT,
        "model": "simulated",
        "sample_rate": 16000,
        "limits": LIMITS,
        **fields,
    }


def segment(start, end, **fields):
    return {"type": "segment", "start_time": start, "end_time": end, "channel": 0, **fields}


def stopped(received=0, segments=0, reason="stop", **ledger):
    channel = {
        "channel": 0,
        "received": received,
        "received_rate": 16000,
        "decoded": received,
        "inferred": received,
        "silent": 0,
        "failed": 0,
        "segments": segments,
        "interims": 0,
        "errors": 0,
        **ledger,
    }
    return {"type": "stopped", "reason": reason, "channels": [channel], "trailing_bytes": 0, "skipped_bytes": 0}


def error(code, fatal=False, **fields):
    return {"type": "error", "code": code, "message": f"about {code}", "fatal": fatal, **fields}


class Peer:
    """A connection of the server. `requests` and `audio` are what has come so far."""

    def __init__(self, socket):
        self.socket = socket
        self.requests = []
        self.audio = b""

    async def send(self, *events):
        for event in events:
            await self.socket.send(event if isinstance(event, (str, bytes)) else json.dumps(event))

    async def until(self, name):
        """Receive until a request of this name."""
        async for message in self.socket:
            if isinstance(message, bytes):
                self.audio += message
                continue
            request = json.loads(message)
            self.requests.append(request)
            if request["request"] == name:
                return request
        raise EOFError(name)

    async def until_bytes(self, count):
        """Receive until so many bytes of audio have come."""
        while len(self.audio) < count:
            message = await self.socket.recv()
            if isinstance(message, bytes):
                self.audio += message
            else:
                self.requests.append(json.loads(message))

    def drop(self):
        """End the connection without a close."""
        self.socket.transport.abort()


@asynccontextmanager
async def serving(*scripts, **options):
    """Yield the URL of a server that runs one script for each connection, the last one again and again."""
    remaining = list(scripts)
    faults = []

    async def handle(socket):
        script = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        peer = Peer(socket)
        try:
            await script(peer)
        except (EOFError, asyncio.CancelledError):
            pass
        except Exception as fault:
            if "Connection" not in type(fault).__name__:
                faults.append(fault)

    async with serve(handle, "127.0.0.1", 0, subprotocols=["streamer.v1"], **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1/segmented"
    if faults:
        raise faults[0]


async def accepting(peer, *events, **fields):
    """Accept a start, send events, and answer a stop."""
    await peer.until("start")
    await peer.send(started(**fields), *events)
    await peer.until("stop")
    await peer.send(stopped(len(peer.audio) // 2, sum(e["type"] == "segment" for e in events)))
    await peer.socket.wait_closed()
