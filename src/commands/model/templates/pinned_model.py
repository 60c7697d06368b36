from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # Types for editors, mypy and pyright: not imported when the model runs.
    from streamer_model import Audio, Call, Output, Settings  # pyright: ignore[reportMissingModuleSource]

# The name in requests, metrics and the log.
name = "my-model"
# The model gets audio at this rate. Streamer resamples what clients send.
sample_rate = 16_000
# `Model` has `open`, and its streams stay in the worker that has opened them.
pinned = True
# Options of a client's `start` that the model takes, such as "language"; others are refused with their name.
options: list[str] = []
# `--set model.max_words=3` changes a setting.
settings: Settings = {
    "loud_db": {"default": -40, "unit": "dBFS", "meaning": "level above which audio is a sound"},
    "max_words": {"default": 0, "meaning": "number of sounds after which the utterance ends; 0: any"},
}

# Frames of 10 ms.
FRAME_RATE = 100
FRAME = sample_rate // FRAME_RATE
# Shorter sounds are no words.
MIN_FRAMES = 3
# Share of the samples of a hiss that have another sign than those before.
HISS = 0.25


class Sounds:
    """One channel of a stream, which stays in its worker. It may hold what cannot be pickled, such as a decoder.

    In its place stands a recogniser of two sounds: "ah" for those with a voice, "ss" for those that hiss.
    """

    # Samples of a frame that is not complete: a step may end within one.
    rest: Audio

    def __init__(self, loud_db: float, max_words: int) -> None:
        self.loud_db = loud_db
        self.max_words = max_words
        self.reset()

    def step(self, audio: Audio, call: Call) -> Output | None:
        """Takes the next samples, each of them once: mono, from -1 to 1, at `call.sample_rate`.

        Returns what it has understood of the utterance so far, which is the interim result on /segmented, or None for
        nothing. It may block, or be an `async def`. If it raises an exception, the client gets an error, and the stream
        continues.
        """
        samples = np.concatenate([self.rest, audio])
        count = samples.size // FRAME
        self.rest = samples[count * FRAME :]
        for frame in samples[: count * FRAME].reshape(count, FRAME):
            self.take_frame(frame)
        if not self.words:
            return None
        # True ends the utterance on /segmented after this step, before the server has detected a pause. It is not sent.
        return {**self.result(), "endpoint": 0 < self.max_words <= len(self.words)}

    def finish(self, call: Call) -> Output | None:
        """Returns the final result. It gets no audio: the utterance, or the stream, has ended."""
        self.end_word()
        return self.result()

    def reset(self) -> None:
        """Makes the stream as a new one for the next utterance. Without this method, another stream is opened."""
        self.rest = np.zeros(0, np.float32)
        # Frames since the start of the utterance.
        self.frames = 0
        self.words: list[dict[str, Any]] = []
        # The loud frames in a row until now, and how often their samples change the sign.
        self.loud_frames = 0
        self.crossings = 0

    def close(self) -> None:
        """Releases what the stream holds. Called once, whatever has ended the stream. May be left out."""

    def take_frame(self, frame: Audio) -> None:
        loud = 10 * np.log10(max(float(np.mean(np.square(frame))), 1e-12)) > self.loud_db
        if not loud:
            self.end_word()
        self.frames += 1
        if loud:
            self.loud_frames += 1
            self.crossings += int(np.count_nonzero(np.diff(frame < 0)))

    def end_word(self) -> None:
        if self.loud_frames >= MIN_FRAMES:
            word = "ss" if self.crossings > HISS * self.loud_frames * FRAME else "ah"
            # Seconds from the start of the utterance; the server moves them to the clock of the stream.
            start, end = (self.frames - self.loud_frames) / FRAME_RATE, self.frames / FRAME_RATE
            self.words.append({"word": word, "start": start, "end": end})
        self.loud_frames = self.crossings = 0

    def result(self) -> dict[str, Any]:
        # Numbers, strings, lists and dictionaries. Names of the protocol, such as `type`, are reserved.
        return {"text": " ".join(word["word"] for word in self.words), "words": list(self.words)}


class Model:
    """What a worker loads once for all of its streams. Each worker is a process, which makes one call at a time."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Runs once in each worker, before any audio: load weights here. Files and packages next to this file work."""
        self.settings = settings

    def open(self, call: Call) -> Sounds:
        """Opens a stream. `call.options` are those of the client's `start`."""
        return Sounds(float(self.settings["loud_db"]), int(self.settings["max_words"]))
