"""Silero VAD, version 6, on ONNX Runtime: the probability that somebody speaks, every 32 ms."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime

name = "silero"
sample_rate = 16_000
idempotent = True

# The network judges windows of 32 ms, and gets the last 4 ms of the window before as well.
WINDOW = 512
CONTEXT = 64
MEMORY = (1, 1, 128)


def network():
    # The package brings the network. It is not imported, because it would import PyTorch.
    package = find_spec("silero_vad")
    if package is None or package.origin is None:
        raise FileNotFoundError("the package silero-vad is not installed: pip install --no-deps -r requirements.txt")
    return Path(package.origin).parent / "data" / "silero_vad_16k_sequence.onnx"


class Model:
    def __init__(self, settings):
        options = onnxruntime.SessionOptions()
        # One thread a worker: the server has as many workers as it is to use cores.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(network(), options, providers=["CPUExecutionProvider"])

    def start(self, call):
        memory = np.zeros(MEMORY, np.float32)
        # `rest`: the context of the next window and the samples that do not fill it yet.
        return {"h": memory, "c": memory, "rest": np.zeros(CONTEXT, np.float32)}

    def step(self, audio, state, call):
        samples = np.concatenate([state["rest"], audio])
        # Windows lie on a grid from the first sample of the stream, so that blocks may have any size.
        count = (samples.size - CONTEXT) // WINDOW
        if count == 0:
            return None, {**state, "rest": samples}
        windows = np.lib.stride_tricks.sliding_window_view(samples, CONTEXT + WINDOW)[: count * WINDOW : WINDOW]
        inputs = {"input": np.ascontiguousarray(windows), "h": state["h"], "c": state["c"]}
        speech, h, c = self.session.run(["speech_probs", "hn", "cn"], inputs)
        return {"speech": speech.max(), "windows": speech}, {"h": h, "c": c, "rest": samples[count * WINDOW :]}
