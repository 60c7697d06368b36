"""The same as failing-batches.ts."""

name = "failing-batches"
max_batch = 4


class Model:
    def infer(self, audio, call):
        return {}

    def infer_batch(self, audios, calls):
        raise ValueError("none of these")
