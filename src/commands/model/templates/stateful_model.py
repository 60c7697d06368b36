from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

if TYPE_CHECKING:  # Types for editors, mypy and pyright: not imported when the model runs.
    from streamer_model import Audio, Call, Output, Settings  # pyright: ignore[reportMissingModuleSource]

# The name in requests, metrics and the log.
name = "my-model"
# The model gets audio at this rate. Streamer resamples what clients send.
sample_rate = 16_000
# A step from the same state gives the same result, so it can be repeated if its worker dies.
idempotent = True
# Options of a client's `start` that the model takes, such as "language"; others are refused with their name.
options: list[str] = []
# `--set model.memory=0.5` changes a setting.
settings: Settings = {
    "memory": {"default": 0.1, "unit": "of 1", "meaning": "share of the loudness that is left after one second"},
}


class State(TypedDict):
    """The state of one channel of a stream. It is pickled and copied from worker to worker, so keep it small."""

    samples: int
    power: float


class Model:
    """Each worker is a process with an instance of its own, which gets one call at a time.

    The next block of a stream may go to another worker, so an instance keeps nothing of a stream.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        """Runs once in each worker, before any audio: load weights here. Files and packages next to this file work."""
        # Share of the old power that is left after one sample.
        self.keep = float(settings["memory"]) ** (1 / sample_rate)

    def start(self, call: Call) -> State:
        """Returns the state at the start of a stream."""
        return {"samples": 0, "power": 0.0}

    def step(self, audio: Audio, state: State, call: Call) -> tuple[Output | None, State]:
        """Processes the next block of one channel: mono samples from -1 to 1, at `call.sample_rate`.

        Returns the result, or None if the block has none, and the next state. It may block, or be an `async def`. If it
        raises an exception, the client gets an error for this block, and the stream continues from the last state.
        """
        weights = (1 - self.keep) * self.keep ** np.arange(audio.size - 1, -1, -1)
        power = state["power"] * self.keep**audio.size + float(np.sum(weights * np.square(audio)))
        return {"loudness_db": decibels(power)}, {"samples": state["samples"] + audio.size, "power": power}

    def finish(self, state: State, call: Call) -> Output | None:
        """Returns a last result at the end of the stream."""
        return {"loudness_db": decibels(state["power"]), "seconds": state["samples"] / sample_rate}


def decibels(power: float) -> float:
    return round(10 * math.log10(max(power, 1e-12)), 1)
