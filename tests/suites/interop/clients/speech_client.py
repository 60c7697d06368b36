"""Sends a recording through SDKs of other services, unmodified, all at once, and prints their final texts.

Usage: CONVERSATIONS AS JSON. A conversation is `{ name, client, url, audio, rate, channels }`: `audio` is a file of
16 bit samples. With `realTime`, it is sent at the pace of speech. Each line of JSON is a final text with the name of its
conversation, its channel, the seconds of audio where it begins and ends, if the client has them, and the milliseconds
since the first audio was sent.
"""

import asyncio
import base64
import io
import json
import sys
import time
import types

# Milliseconds of audio in a message.
PIECE_MS = 50
# Longest wait for the end of a conversation, seconds.
PATIENCE = 110


class Conversation:
    """A recording on its way to one server."""

    def __init__(self, name, client, url, audio, rate, channels, realTime=False):
        self.name, self.client, self.url, self.rate, self.channels = name, client, url, rate, channels
        self.is_paced = realTime
        with open(audio, "rb") as file:
            self.audio = file.read()
        self.piece = rate * PIECE_MS // 1000 * channels * 2
        self.began = time.monotonic()

    @property
    def host(self):
        return self.url.split("://")[1]

    def show(self, text, channel=0, start=None, end=None):
        fields = {"name": self.name, "channel": channel, "text": text, "start": start, "end": end}
        print(json.dumps({**fields, "ms": round((time.monotonic() - self.began) * 1000)}), flush=True)

    async def pieces(self):
        self.began = time.monotonic()
        for number, at in enumerate(range(0, len(self.audio), self.piece)):
            if self.is_paced:
                await asyncio.sleep(max(0, self.began + (number + 1) * PIECE_MS / 1000 - time.monotonic()))
            yield self.audio[at : at + self.piece]
            await asyncio.sleep(0)

    def wav(self):
        import wave

        memory = io.BytesIO()
        with wave.open(memory, "wb") as file:
            file.setnchannels(self.channels)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(self.audio)
        return memory.getvalue()


async def deepgram(talk):
    from deepgram import AsyncDeepgramClient
    from deepgram.core.events import EventType
    from deepgram.environment import DeepgramClientEnvironment
    from deepgram.listen.v1.types import ListenV1CloseStream

    there = DeepgramClientEnvironment(
        base=f"http://{talk.host}", production=f"ws://{talk.host}", agent=f"ws://{talk.host}", agent_rest=f"http://{talk.host}"
    )
    query = {"model": "nova-3", "encoding": "linear16", "sample_rate": talk.rate, "channels": talk.channels}
    if talk.channels > 1:
        query["multichannel"] = "true"
    async with AsyncDeepgramClient(api_key="any", environment=there).listen.v1.connect(**query) as socket:

        def received(message):
            if type(message).__name__ != "ListenV1Results" or not message.is_final:
                return
            text = message.channel.alternatives[0].transcript
            end = message.start + message.duration
            talk.show(text, message.channel_index[0], message.start, end)

        socket.on(EventType.MESSAGE, received)
        reader = asyncio.create_task(socket.start_listening())
        async for piece in talk.pieces():
            await socket.send_media(piece)
        await socket.send_close_stream(ListenV1CloseStream(type="CloseStream"))
        await reader


async def openai(talk):
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="any", base_url=f"http://{talk.host}/v1")
    async with client.realtime.connect(extra_query={"intent": "transcription"}) as connection:
        audio = {"input": {"format": {"type": "audio/pcm", "rate": talk.rate}}}
        await connection.session.update(session={"type": "transcription", "audio": audio})
        items, answered = [], set()

        async def read():
            async for event in connection:
                if event.type == "input_audio_buffer.committed":
                    items.append(event.item_id)
                elif event.type == "conversation.item.input_audio_transcription.completed":
                    answered.add(event.item_id)
                    if event.transcript:
                        talk.show(event.transcript)
                elif event.type == "error":
                    raise RuntimeError(event.error.message)
                # Pauses end items, and the commit at the end makes one without text.
                if items and answered.issuperset(items) and event.type.endswith("completed") and not event.transcript:
                    return

        reader = asyncio.create_task(read())
        async for piece in talk.pieces():
            await connection.input_audio_buffer.append(audio=base64.b64encode(piece).decode())
        await connection.input_audio_buffer.commit()
        await reader


async def assemblyai(talk):
    from assemblyai.streaming.v3 import (
        AsyncRealTimeTranscriber,
        RealTimeEvents,
        RealTimeParameters,
        RealTimeTranscriberOptions,
    )

    transcriber = AsyncRealTimeTranscriber(RealTimeTranscriberOptions(api_key="any", api_host=f"ws://{talk.host}"))

    def turn(_, message):
        if message.end_of_turn:
            words = message.words
            talk.show(message.transcript, 0, words[0].start / 1000, words[-1].end / 1000)

    transcriber.on(RealTimeEvents.Turn, turn)
    await transcriber.connect(RealTimeParameters(sample_rate=talk.rate, encoding="pcm_s16le"))
    async for piece in talk.pieces():
        await transcriber.stream(piece)
    await transcriber.disconnect(terminate=True)


async def speechmatics(talk):
    from speechmatics.rt import AsyncClient, AudioEncoding, AudioFormat, ServerMessageType, TranscriptionConfig

    async with AsyncClient(api_key="any", url=f"ws://{talk.host}/v2") as client:

        @client.on(ServerMessageType.ADD_TRANSCRIPT)
        def received(message):
            fields = message["metadata"]
            talk.show(fields["transcript"].strip(), 0, fields["start_time"], fields["end_time"])

        form = AudioFormat(encoding=AudioEncoding.PCM_S16LE, sample_rate=talk.rate)
        config = TranscriptionConfig(language="en", enable_partials=False)
        await client.start_session(transcription_config=config, audio_format=form)
        async for piece in talk.pieces():
            await client.send_audio(piece)
        await client.stop_session()


async def wyoming(talk):
    from wyoming.asr import Transcript
    from wyoming.audio import AudioChunk, AudioStart, AudioStop
    from wyoming.client import AsyncClient

    form = {"rate": talk.rate, "width": 2, "channels": talk.channels}
    async with AsyncClient.from_uri(talk.url) as client:
        await client.write_event(AudioStart(**form).event())
        async for piece in talk.pieces():
            await client.write_event(AudioChunk(audio=piece, **form).event())
        await client.write_event(AudioStop().event())
        while True:
            event = await client.read_event()
            if event is None:
                raise RuntimeError("the end comes before the transcript")
            if Transcript.is_type(event.type):
                return talk.show(Transcript.from_event(event).text)


async def vosk(talk):
    # Only what writes subtitles uses it.
    sys.modules["srt"] = types.ModuleType("srt")
    import websockets

    # The loop of its transcriber, with the rate of the recording.
    async with websockets.connect(f"{talk.url}/") as socket:
        await socket.send(json.dumps({"config": {"sample_rate": talk.rate}}))

        def show(answer):
            fields = json.loads(answer)
            if fields.get("text"):
                words = fields["result"]
                talk.show(fields["text"], 0, words[0]["start"], words[-1]["end"])

        async for piece in talk.pieces():
            await socket.send(piece)
            show(await socket.recv())
        await socket.send('{"eof" : 1}')
        show(await socket.recv())


async def deepgram_file(talk):
    from deepgram import AsyncDeepgramClient
    from deepgram.environment import DeepgramClientEnvironment

    there = DeepgramClientEnvironment(
        base=f"http://{talk.host}", production=f"http://{talk.host}", agent=f"http://{talk.host}", agent_rest=f"http://{talk.host}"
    )
    client = AsyncDeepgramClient(api_key="any", environment=there)
    answer = await client.listen.v1.media.transcribe_file(request=talk.wav(), multichannel=talk.channels > 1)
    for number, channel in enumerate(answer.results.channels):
        talk.show(channel.alternatives[0].transcript, number)


async def openai_file(talk):
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="any", base_url=f"http://{talk.host}/v1")
    answer = await client.audio.transcriptions.create(model="whisper-1", file=("audio.wav", talk.wav()))
    talk.show(answer.text)


CLIENTS = {
    each.__name__: each
    for each in (deepgram, openai, assemblyai, speechmatics, wyoming, vosk, deepgram_file, openai_file)
}


async def main():
    talks = [Conversation(**each) for each in json.loads(sys.argv[1])]
    await asyncio.gather(*(asyncio.wait_for(CLIENTS[talk.client](talk), PATIENCE) for talk in talks))


asyncio.run(main())
