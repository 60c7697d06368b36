"""Pitch of a voice: the median of frames of 40 ms whose autocorrelation has a clear peak."""
import numpy as np

name = "pitch"
sample_rate = 8_000
idempotent = True
settings = {"clarity": {"default": 0.5, "unit": "of 1", "meaning": "how much a voice is like itself a period later"}}
FRAME, SHORTEST, LONGEST = 320, 20, 133  # samples: 40 ms, and the periods of 400 and 60 Hz


class Model:
    def __init__(self, settings):
        self.clarity = settings["clarity"]

    def infer(self, audio, call):
        frames = audio[: audio.size // FRAME * FRAME].reshape(-1, FRAME)
        products = np.fft.irfft(np.abs(np.fft.rfft(frames, 2 * FRAME)) ** 2)[:, : LONGEST + 1]
        likeness = products / (products[:, :1] + 1e-6)
        periods = SHORTEST + likeness[:, SHORTEST:].argmax(axis=1)[likeness[:, SHORTEST:].max(axis=1) > self.clarity]
        return {"pitch_hz": np.median(sample_rate / periods) if periods.size else None, "voiced_frames": periods.size}
