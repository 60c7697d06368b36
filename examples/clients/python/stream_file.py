# Streams a WAV file of PCM to Streamer and prints each final result as a line of JSON:
#
#     pip install websockets
#     python stream_file.py FILE [URL [MODEL]]
#
# STREAMER_TOKEN has the token, if the server wants one. REAL_TIME=1 sends at the pace of a live source.

import asyncio, json, os, sys, wave
from websockets.asyncio.client import connect


async def send(socket, wav):
    pause = 2048 / wav.getframerate() if os.environ.get("REAL_TIME") else 0
    while samples := wav.readframes(2048):
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
    wav = wave.open(path)
    format = {"channels": wav.getnchannels(), "sample_rate": wav.getframerate()}
    format |= {"bit_depth": 8 * wav.getsampwidth(), "is_float": False}
    headers = {"Authorization": f"Bearer {os.environ.get('STREAMER_TOKEN', '')}"}
    # No pings: a server that holds the sender back does not read them meanwhile, and answers none.
    async with connect(url, additional_headers=headers, ping_interval=None) as socket:
        await socket.send(json.dumps({"request": "start", "format": format, "model": model}))
        await asyncio.gather(send(socket, wav), receive(socket))


try:
    asyncio.run(stream_file(*sys.argv[1:]))
except wave.Error as error:
    sys.exit(f"error: {error}; ffmpeg -i FILE audio.wav converts it")
except Exception as error:  # The body of a refused connection is an error event, too.
    body = error.response.body.decode() if hasattr(error, "response") else ""
    sys.exit(f"error: {error} {body}")
