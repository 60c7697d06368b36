import numpy as np
import triton_python_backend_utils as pb


def number(request, name):
    return int(pb.get_input_tensor_by_name(request, name).as_numpy().reshape(-1)[0])


class TritonPythonModel:
    """The level of a stream so far. The engine keeps the state of each sequence."""

    def initialize(self, args):
        self.heard = {}

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        stream = number(request, "stream")
        if number(request, "start"):
            self.heard[stream] = [0, 0.0]
        if stream not in self.heard:
            # The engine was started again: the beginning of the stream is lost.
            return pb.InferenceResponse(error=pb.TritonError(f"sequence {stream} has no start here"))
        audio = pb.get_input_tensor_by_name(request, "audio").as_numpy().astype(np.float64)
        heard = self.heard[stream]
        heard[0] += audio.shape[1]
        heard[1] += float(np.sum(audio * audio))
        if number(request, "end"):
            del self.heard[stream]
        mean = heard[1] / max(heard[0], 1)
        return pb.InferenceResponse([
            pb.Tensor("rms_dbfs", np.array([[10 * np.log10(max(mean, 1e-12))]], np.float32)),
            pb.Tensor("samples", np.array([[heard[0]]], np.int64)),
        ])
