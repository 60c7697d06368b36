"""Conversations through OpenAI's SDK for Python, unmodified. Usage: AUDIO CONVERSATIONS

Prints what the application sees, as lines of JSON, each with the name of its conversation.
"""

import asyncio
import base64
import json
import sys
import threading

from openai import AsyncOpenAI, OpenAI

# Bytes of a message: 50 ms of 24 kHz, 16 bit.
PIECE = 2400
TRANSCRIPTION = "conversation.item.input_audio_transcription"

path, conversations = sys.argv[1:3]
with open(path, "rb") as file:
    audio = file.read()

SETTINGS = {
    "type": "transcription",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "gpt-4o-transcribe", "language": "en"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 400,
            },
            "noise_reduction": {"type": "near_field"},
        }
    },
    "include": ["item.input_audio_transcription.logprobs"],
}
lock = threading.Lock()


def pieces(samples):
    return [
        {
            "type": "input_audio_buffer.append",
            "audio": base64.b64encode(samples[at : at + PIECE]).decode(),
        }
        for at in range(0, len(samples), PIECE)
    ]


class Conversation:
    """What a client sends after each message of the server."""

    def __init__(self, name, kind, url, key, by="base_url", query=None, waits=False):
        self.name = name
        self.kind = kind
        self.waits = waits
        # `http` becomes `ws`.
        self.options = {"api_key": key, by: f"{url}/v1", "max_retries": 0}
        self.query = query or {"intent": "transcription"}
        self.counts = {}

    def show(self, event, **fields):
        with lock:
            # Threads call this: `print` writes the end of a line by itself.
            sys.stdout.write(json.dumps({"name": self.name, "event": event, **fields}) + "\n")
            sys.stdout.flush()

    def answer(self, message):
        """Returns what comes next; None: the end."""
        content = json.loads(message.model_dump_json(exclude_unset=True))
        self.show("message", type=type(message).__name__, message=content)
        kind = message.type
        count = self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == "session.created":
            return [{"type": "session.update", "session": SETTINGS}]
        if kind == "session.updated" and count == 1 and not self.waits:
            return pieces(audio)
        if kind == "session.updated" and count == 2:
            return [*pieces(audio[: len(audio) // 2]), {"type": "input_audio_buffer.commit"}]
        if kind == f"{TRANSCRIPTION}.completed" and count == 2:
            return [{"type": "input_audio_buffer.clear"}]
        if kind == "input_audio_buffer.cleared":
            return [{"type": "input_audio_buffer.commit", "event_id": "nothing"}]
        if kind == "error" and message.error.event_id == "nothing":
            manual = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
            return [{"type": "session.update", "session": manual}]
        if (kind == f"{TRANSCRIPTION}.completed" and count == 3) or (kind == f"{TRANSCRIPTION}.failed" and count == 2):
            return None
        return []

    def raised(self, error):
        status = getattr(getattr(error, "response", None), "status_code", None)
        body = getattr(getattr(error, "response", None), "body", b"") or b""
        self.show("raised", type=type(error).__name__, status=status, body=body.decode())

    def converse(self):
        try:
            with OpenAI(**self.options).realtime.connect(extra_query=self.query) as connection:
                for message in connection:
                    answers = self.answer(message)
                    if answers is None:
                        break
                    for each in answers:
                        connection.send(each)
            self.show("end")
        except Exception as error:  # What an application would see.
            self.raised(error)

    async def converse_async(self):
        try:
            async with AsyncOpenAI(**self.options).realtime.connect(extra_query=self.query) as connection:
                async for message in connection:
                    answers = self.answer(message)
                    if answers is None:
                        break
                    for each in answers:
                        await connection.send(each)
            self.show("end")
        except Exception as error:  # What an application would see.
            self.raised(error)


async def main(all_of_them):
    await asyncio.gather(*[each.converse_async() for each in all_of_them])


listed = [Conversation(**each) for each in json.loads(conversations)]
threads = [threading.Thread(target=each.converse) for each in listed if each.kind == "sync"]
for thread in threads:
    thread.start()
asyncio.run(main([each for each in listed if each.kind == "async"]))
for thread in threads:
    thread.join()
