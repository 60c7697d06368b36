from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:  # Types for editors, mypy and pyright: not imported when the model runs.
    from streamer_model import Audio, Call, Output, Settings  # pyright: ignore[reportMissingModuleSource]

# The name in requests, metrics and the log.
name = "my-model"
# The model gets audio at this rate. Streamer resamples what clients send.
sample_rate = 16_000
# The same audio gives the same result, so a call can be repeated if its worker dies.
idempotent = True
# Options of a client's `start` that the model takes, such as "language"; others are refused with their name.
options: list[str] = []
# `--set model.loud_db=-20` changes a setting.
settings: Settings = {
    "loud_db": {"default": -30, "unit": "dBFS", "meaning": "level above which audio counts as loud"},
}


class Model:
    """Each worker is a process with an instance of its own, which gets one call at a time."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Runs once in each worker, before any audio: load weights here. Files and packages next to this file work."""
        self.loud_db = float(settings["loud_db"])

    def infer(self, audio: Audio, call: Call) -> Output:
        """Computes the result for a span of one channel: mono samples from -1 to 1, at `call.sample_rate`.

        It may block, or be an `async def`. If it raises an exception, the client gets an error for this span, and the
        stream continues.
        """
        # `call.final` is False for an interim result, while the speaker is still talking: a rough answer is enough.
        samples = audio if call.final else audio[::4]
        power = float(np.mean(np.square(samples), dtype=np.float64)) if samples.size > 0 else 0.0
        decibels = 10 * math.log10(max(power, 1e-12))
        # Numbers, strings, lists and dictionaries. Names of the protocol, such as `type`, are reserved.
        return {"loudness_db": round(decibels, 1), "loud": decibels > self.loud_db}
