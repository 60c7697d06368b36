"""Runs the loop with which `vosk-transcriber --server` talks to a server, and prints the results as lines of JSON.

Arguments: the URI of the server, and a file of audio: 16 kHz, 16 bit, mono.
"""

import asyncio
import json
import sys
import types

# Only what writes subtitles uses it.
sys.modules["srt"] = types.ModuleType("srt")

from vosk.transcriber.transcriber import Transcriber

uri, path = sys.argv[1:]


async def main():
    process = await asyncio.create_subprocess_exec("cat", path, stdout=asyncio.subprocess.PIPE)
    # Its constructor loads a model, which this loop has no use for.
    transcriber = Transcriber.__new__(Transcriber)
    transcriber.args = types.SimpleNamespace(server=uri)
    results, _ = await transcriber.recognize_stream_server(process)
    for result in results:
        print(json.dumps(result), flush=True)


asyncio.run(main())
