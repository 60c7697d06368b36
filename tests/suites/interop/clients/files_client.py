"""Files through the SDKs of OpenAI and Deepgram for Python, unmodified. Usage: CASES AS JSON

Prints what each call returns or raises, as lines of JSON.
"""

import asyncio
import json
import sys

from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.environment import DeepgramClientEnvironment
from openai import AsyncOpenAI, OpenAI


def plain(value):
    if isinstance(value, list):
        return [plain(each) for each in value]
    return json.loads(value.model_dump_json()) if hasattr(value, "model_dump_json") else value


def options_of(case, model):
    return {"model": model, **case["options"]}


def class_of(value):
    return type(value[0] if isinstance(value, list) and value else value).__name__


def openai(case):
    with open(case["file"], "rb") as file:
        client = OpenAI(api_key=case["key"], base_url=case["url"] + "/v1", max_retries=0)
        answer = client.audio.transcriptions.create(file=file, **options_of(case, "whisper-1"))
        return list(answer) if case["options"].get("stream") else answer


async def openai_async(case):
    with open(case["file"], "rb") as file:
        client = AsyncOpenAI(api_key=case["key"], base_url=case["url"] + "/v1", max_retries=0)
        answer = await client.audio.transcriptions.create(file=file, **options_of(case, "whisper-1"))
        return [event async for event in answer] if case["options"].get("stream") else answer


def environment(case):
    ws = case["url"].replace("http", "ws", 1)
    return DeepgramClientEnvironment(base=case["url"], production=ws, agent=ws, agent_rest=case["url"])


def deepgram(case):
    with open(case["file"], "rb") as file:
        client = DeepgramClient(api_key=case["key"], environment=environment(case))
        return client.listen.v1.media.transcribe_file(request=file.read(), **options_of(case, "nova-3"))


async def deepgram_async(case):
    with open(case["file"], "rb") as file:
        client = AsyncDeepgramClient(api_key=case["key"], environment=environment(case))
        return await client.listen.v1.media.transcribe_file(request=file.read(), **options_of(case, "nova-3"))


def call(case):
    deepgrams = case["kind"] == "deepgram"
    if case.get("async"):
        return asyncio.run(deepgram_async(case) if deepgrams else openai_async(case))
    return deepgram(case) if deepgrams else openai(case)


def describe(error):
    return {
        "type": type(error).__name__,
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "code", None),
        "body": plain(getattr(error, "body", None)),
        "message": str(error),
    }


for case in json.loads(sys.argv[1]):
    try:
        result = call(case)
        print(json.dumps({"name": case["name"], "type": class_of(result), "result": plain(result)}), flush=True)
    except Exception as error:  # Whatever an application would see.
        print(json.dumps({"name": case["name"], "error": describe(error)}), flush=True)
