"""Runs the statements in the options of each call. They set `result`."""

name = "obedient"
max_batch = 4
idempotent = True


class Box:
    def __init__(self, value):
        self.value = value

    def doubled(self):
        return 2 * self.value


class Model:
    def warm_up(self):
        self.kept = []

    def infer(self, audio, call):
        scope = {"audio": audio, "call": call, "self": self, "result": {}, "__name__": __name__}
        exec(compile(call.options, "obedient-order.py", "exec"), scope)
        return scope["result"]

    def infer_batch(self, audios, calls):
        return [{"together": len(audios), **self.infer(audio, call)} for audio, call in zip(audios, calls)]
