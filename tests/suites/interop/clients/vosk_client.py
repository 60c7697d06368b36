"""Runs the loop with which `vosk-transcriber --server` talks to a server, which is always on port 2700 of this machine,
and prints the results as lines of JSON. Argument: a file of audio, 16 kHz, 16 bit, mono.
"""

import asyncio
import json
import sys

from vosk.transcriber.transcriber import Transcriber

path = sys.argv[1]


async def main():
    process = await asyncio.create_subprocess_exec("cat", path, stdout=asyncio.subprocess.PIPE)
    # Its constructor loads a model, which this loop has no use for.
    transcriber = Transcriber.__new__(Transcriber)
    results, _ = await transcriber.recognize_stream_server(process)
    for result in results:
        print(json.dumps(result), flush=True)


asyncio.run(main())
