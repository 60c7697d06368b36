"""Conversations through Pipecat, unmodified, at once. Usage: ADDRESS AUDIO SPANS AS JSON, SERVICES AS JSON

A service is deepgram, openai, openai-turns or assemblyai. Spans are those of speech, in seconds: local voice activity
detection, which is not what is tested, would find them. Prints frames as lines of JSON with the name of the service.
"""

import asyncio
import json
import sys

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    ProposedUserStartedSpeakingFrame,
    ProposedUserStoppedSpeakingFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.turns.user_start import VADUserTurnStartStrategy
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_processor import UserTurnProcessor
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

RATE = 16000
# Seconds of audio in a frame.
FRAME = 0.02
# What local detection needs to be sure, seconds.
CERTAIN = 0.2
# Longer than any of this takes: a turn that ends by a time-out is not seen.
NEVER = 90
# For the results of the last utterance, seconds.
PATIENCE = 30

address, path, spans, services = sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), json.loads(sys.argv[4])
with open(path, "rb") as file:
    audio = file.read()
logger.remove()
logger.add(sys.stderr, level="WARNING")


def service_of(name):
    """What a pipeline is given as its recogniser."""
    if name == "deepgram":
        from pipecat.services.deepgram.stt import DeepgramSTTService

        return DeepgramSTTService(api_key="any", base_url=f"ws://{address}", ttfs_p99_latency=NEVER)
    if name == "assemblyai":
        from pipecat.services.assemblyai.stt import AssemblyAISTTService

        url = f"ws://{address}/v3/ws"
        return AssemblyAISTTService(api_key="any", api_endpoint_base_url=url, ttfs_p99_latency=NEVER)
    from pipecat.services.openai.stt import OpenAIRealtimeSTTService

    detection = {"type": "server_vad", "silence_duration_ms": 400} if name == "openai-turns" else False
    settings = OpenAIRealtimeSTTService.Settings(model="gpt-transcribe")
    url = f"ws://{address}/v1/realtime"
    return OpenAIRealtimeSTTService(api_key="any", base_url=url, turn_detection=detection, settings=settings)


class Seen(FrameProcessor):
    """Prints the frames that come by. `done` is set by as many transcripts as there are spans, or by an error."""

    def __init__(self, name):
        super().__init__()
        self.name_of_service = name
        self.done = asyncio.Event()
        self.transcripts = 0

    def show(self, event, **fields):
        print(json.dumps({"service": self.name_of_service, "event": event, **fields}), flush=True)

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            self.show("transcript", text=frame.text, finalized=frame.finalized)
            self.transcripts += 1
            if self.transcripts >= len(spans):
                self.done.set()
        elif isinstance(frame, InterimTranscriptionFrame):
            self.show("interim", text=frame.text)
        elif isinstance(frame, ProposedUserStartedSpeakingFrame) and direction == FrameDirection.DOWNSTREAM:
            self.show("started")
        elif isinstance(frame, ProposedUserStoppedSpeakingFrame) and direction == FrameDirection.DOWNSTREAM:
            self.show("stopped")
        await self.push_frame(frame, direction)


class Errors(FrameProcessor):
    """Stands in front of the service, where errors arrive."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, ErrorFrame):
            self.seen.show("error", text=frame.error)
            self.seen.done.set()
        await self.push_frame(frame, direction)


async def converse(name):
    seen = Seen(name)
    strategies = UserTurnStrategies(
        start=[VADUserTurnStartStrategy()],
        stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=CERTAIN)],
    )
    turns = UserTurnProcessor(user_turn_strategies=strategies, user_turn_stop_timeout=NEVER)
    ended = asyncio.Queue()

    @turns.event_handler("on_user_turn_stopped")
    async def stopped(_, __):
        seen.show("turn")
        ended.put_nowait(None)

    pipeline = Pipeline([Errors(seen), service_of(name), seen, turns])
    worker = PipelineWorker(
        pipeline,
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
        params=PipelineParams(audio_in_sample_rate=RATE),
    )
    begun = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def started(_, __):
        begun.set()

    async def feed():
        await asyncio.wait_for(begun.wait(), PATIENCE)
        local = not name.endswith("-turns")
        events = [
            (at + CERTAIN, frame)
            for span in spans
            for at, frame in zip(span, (VADUserStartedSpeakingFrame, VADUserStoppedSpeakingFrame))
        ]
        size = int(RATE * FRAME) * 2
        clock = asyncio.get_running_loop().time()
        for number, at in enumerate(range(0, len(audio) - size + 1, size)):
            if seen.done.is_set() and seen.transcripts == 0:
                break
            while local and events and events[0][0] <= number * FRAME:
                _, frame = events.pop(0)
                seconds = {"start_secs" if frame is VADUserStartedSpeakingFrame else "stop_secs": CERTAIN}
                await worker.queue_frame(frame(**seconds))
            piece = audio[at : at + size]
            await worker.queue_frame(InputAudioRawFrame(audio=piece, sample_rate=RATE, num_channels=1))
            # As fast as a microphone.
            await asyncio.sleep(max(0, clock + number * FRAME - asyncio.get_running_loop().time()))
        await asyncio.wait_for(seen.done.wait(), PATIENCE)
        if seen.transcripts > 0 and name in ("deepgram", "assemblyai"):
            for _ in spans:
                await asyncio.wait_for(ended.get(), PATIENCE)
        await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), feed())
    seen.show("ended")


async def main():
    await asyncio.gather(*(converse(name) for name in services))


asyncio.run(main())
