import numpy as np
import triton_python_backend_utils as pb


def dbfs(value):
    return 20 * np.log10(np.maximum(value, 1e-6))


class TritonPythonModel:
    """The level of each piece of audio."""

    def execute(self, requests):
        # One call has the requests that the engine combined, and each may have several pieces.
        return [self.answer(pb.get_input_tensor_by_name(request, "audio").as_numpy()) for request in requests]

    def answer(self, audio):
        rms = dbfs(np.sqrt(np.mean(audio * audio, axis=1, keepdims=True)))
        peak = dbfs(np.max(np.abs(audio), axis=1, keepdims=True))
        verdict = np.where(rms < -50, "quiet", np.where(rms > -12, "loud", "fine")).astype(object)
        return pb.InferenceResponse([
            pb.Tensor("rms_dbfs", rms.astype(np.float32)),
            pb.Tensor("peak_dbfs", peak.astype(np.float32)),
            pb.Tensor("verdict", verdict),
        ])
