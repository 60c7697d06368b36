import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    """The level of a stream so far. Its state is a tensor: the number of samples, and the sum of their squares."""

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        audio = pb.get_input_tensor_by_name(request, "audio").as_numpy()
        heard = pb.get_input_tensor_by_name(request, "heard").as_numpy().copy()
        heard[:, 0] += audio.shape[1]
        heard[:, 1] += np.sum(audio.astype(np.float64) ** 2, axis=1)
        mean = heard[:, 1:2] / np.maximum(heard[:, 0:1], 1)
        return pb.InferenceResponse([
            pb.Tensor("rms_dbfs", (10 * np.log10(np.maximum(mean, 1e-12))).astype(np.float32)),
            pb.Tensor("samples", heard[:, 0:1].astype(np.int64)),
            pb.Tensor("heard_next", heard),
        ])
