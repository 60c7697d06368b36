import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse


def tensor(request, name):
    found = next(each for each in request.inputs if each.name == name)
    return NumpyCodec.decode_input(found)


def dbfs(value):
    return (20 * np.log10(np.maximum(value, 1e-6))).astype(np.float32)


class Loudness(MLModel):
    """The level of each piece of audio."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        audio = tensor(payload, "audio")
        rms = dbfs(np.sqrt(np.mean(audio * audio, axis=1, keepdims=True)))
        verdict = ["loud" if level > -12 else "fine" for level in rms[:, 0]]
        outputs = [NumpyCodec.encode_output("rms_dbfs", rms), StringCodec.encode_output("verdict", verdict)]
        return InferenceResponse(model_name=self.name, outputs=outputs)


class LoudnessStream(MLModel):
    """The level of a stream so far. Its state is a tensor: the number of samples, and the sum of their squares."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        audio = tensor(payload, "audio").astype(np.float64)
        heard = tensor(payload, "heard") + [audio.shape[1], np.sum(audio * audio)]
        outputs = [
            NumpyCodec.encode_output("samples", heard[:, 0:1].astype(np.int64)),
            NumpyCodec.encode_output("heard_next", heard),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
