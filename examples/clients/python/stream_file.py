# Streams a WAV file to Streamer and prints each final result as a line of JSON:
#
#     pip install websockets
#     python stream_file.py FILE [URL [MODEL]]
#
# STREAMER_TOKEN has the token, if the server wants one. REAL_TIME=1 sends at the pace of a live source.

import asyncio, json, os, struct, sys
from websockets.asyncio.client import connect


ENCODINGS = {1: "pcm", 3: "pcm", 6: "alaw", 7: "mulaw"}


def open_wav(path):
    """Open a WAV file where its samples begin, and return it, their format, and their bytes."""
    file = open(path, "rb")
    head = file.read(12)
    if head[:4] + head[8:] != b"RIFFWAVE":
        raise ValueError(f"{path}: found no WAV file; ffmpeg -i {path} audio.wav converts it")
    format = None
    while len(chunk := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", chunk)
        if name == b"data" and format:
            return file, format, size if 0 < size < 0xFFFFFFFF else sys.maxsize  # A pipe has no size: to its end.
        body = file.read(size + size % 2)
        if name == b"fmt " and len(body) >= 16:
            tag, channels, rate, _, frame_bytes, _ = struct.unpack_from("<HHIIHH", body)
            if tag == 0xFFFE and len(body) >= 26:  # WAVE_FORMAT_EXTENSIBLE: the encoding stands further behind.
                (tag,) = struct.unpack_from("<H", body, 24)
            if tag not in ENCODINGS or 0 in (channels, rate, frame_bytes):
                found = f"encoding {tag}, {channels} channels, {rate} Hz, {frame_bytes} bytes a frame"
                raise ValueError(f"{path}: found {found}; ffmpeg -i {path} audio.wav converts it")
            format = {"channels": channels, "sample_rate": rate, "bit_depth": 8 * frame_bytes // channels}
            format |= {"is_float": tag == 3, "encoding": ENCODINGS[tag]}
    raise ValueError(f"{path}: the file ends before its audio")


async def send(socket, file, format, left):
    frame_bytes = format["channels"] * format["bit_depth"] // 8
    pause = 2048 / format["sample_rate"] if os.environ.get("REAL_TIME") else 0
    while samples := file.read(min(left, 2048 * frame_bytes)):
        left -= len(samples)
        await socket.send(samples)  # Waits while the server takes no more, so that memory does not grow.
        await asyncio.sleep(pause)
    await socket.send(json.dumps({"request": "stop", "disconnect": True}))


async def receive(socket):
    async for message in socket:
        event = json.loads(message) if isinstance(message, str) else {"type": "sound"}
        if event["type"] == "segment" and event.get("is_final", True):
            print(message, flush=True)  # event["text"], event["channel"], event["start_time"], event["end_time"]
        elif event["type"] == "warning":
            print(f"warning: {event['code']}: {event['message']}", file=sys.stderr)
        elif event["type"] == "error":
            raise RuntimeError(f"{event['code']}: {event['message']}")
        elif event["type"] == "stopped" and event["reason"] == "stop":
            return  # Every result is there.
    raise ConnectionError("the server has closed the connection before the stream had ended")


async def stream_file(path, url="ws://localhost:8080/api/v1/segmented", model=None):
    file, format, size = open_wav(path)
    headers = {"Authorization": f"Bearer {os.environ.get('STREAMER_TOKEN', '')}"}
    # No pings: a server that holds the sender back does not read them meanwhile, and answers none.
    async with connect(url, additional_headers=headers, ping_interval=None) as socket:
        await socket.send(json.dumps({"request": "start", "format": format, "model": model}))
        await asyncio.gather(send(socket, file, format, size), receive(socket))


try:
    asyncio.run(stream_file(*sys.argv[1:]))
except Exception as error:  # The body of a refused connection is an error event, too.
    body = error.response.body.decode() if hasattr(error, "response") else ""
    sys.exit(f"error: {error} {body}")
