"""Runs the statements in the options of each call of a stream. They set `result` and `state`."""

from obedient import Box

name = "obedient-stream"


class Model:
    def __init__(self, settings):
        self.disposed = []
        if settings.get("finishes"):
            self.finish = self._finish

    def warm_up(self):
        pass

    def start(self, call):
        return self._run(call, audio=None, state=None)[1]

    def step(self, audio, state, call):
        return self._run(call, audio, state)

    def _finish(self, state, call):
        return self._run(call, None, state)[0]

    def dispose(self, state):
        self.disposed.append(state)
        print("disposed of", state, flush=True)

    def _run(self, call, audio, state):
        scope = {"audio": audio, "state": state, "call": call, "self": self, "result": None, "Box": Box}
        exec(compile(call.options or "", "obedient-order.py", "exec"), scope)
        return scope.get("returned", (scope["result"], scope["state"]))
