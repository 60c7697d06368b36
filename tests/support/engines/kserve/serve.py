import sys

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


def tensor(request, name):
    return next(each for each in request.inputs if each.name == name).as_numpy()


def output(name, datatype, values):
    found = InferOutput(name=name, shape=list(values.shape), datatype=datatype)
    found.set_data_from_numpy(values, binary_data=False)
    return found


class Loudness(Model):
    """The level of each piece of audio."""

    def __init__(self):
        super().__init__("loudness")
        self.ready = True

    async def predict(self, payload: InferRequest, headers=None, response_headers=None):
        audio = tensor(payload, "audio")
        rms = 20 * np.log10(np.maximum(np.sqrt(np.mean(audio * audio, axis=1, keepdims=True)), 1e-6))
        verdict = np.where(rms > -12, "loud", "fine").astype(object)
        outputs = [output("rms_dbfs", "FP32", rms.astype(np.float32)), output("verdict", "BYTES", verdict)]
        return InferResponse(payload.id or "none", self.name, outputs)


class LoudnessStream(Model):
    """The level of a stream so far. Its state is a tensor: the number of samples, and the sum of their squares."""

    def __init__(self):
        super().__init__("loudness_stream")
        self.ready = True

    async def get_input_types(self):
        return [
            {"name": "audio", "datatype": "FP32", "shape": [-1, -1]},
            {"name": "heard", "datatype": "FP64", "shape": [-1, 2]},
        ]

    async def predict(self, payload: InferRequest, headers=None, response_headers=None):
        audio = tensor(payload, "audio").astype(np.float64)
        heard = tensor(payload, "heard") + [audio.shape[1], np.sum(audio * audio)]
        outputs = [
            output("samples", "INT64", heard[:, 0:1].astype(np.int64)),
            output("heard_next", "FP64", heard),
        ]
        return InferResponse(payload.id or "none", self.name, outputs)


ModelServer().start([Loudness(), LoudnessStream()])
