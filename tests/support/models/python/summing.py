"""The model of ../summing.ts: adds up all samples of a stream."""

import os

name = "summing"
stateful = True

EXIT, BIGINT = 2, 5


class Model:
    def start(self, call):
        return {"sum": 0, "history": []}

    def step(self, audio, state, call):
        if audio[0] == EXIT:
            os._exit(3)
        if audio[0] == BIGINT:
            return None, {**state, "strange": lambda: 1}
        total = sum(audio, state["sum"])
        output = None if len(audio) == 1 else {"sum": total, "before": state["history"]}
        return output, {"sum": total, "history": [float(sample) for sample in audio[:3]]}

    def finish(self, state, call):
        return {"total": state["sum"]}
