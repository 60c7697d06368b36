"""A pinned model whose streams run the statements in the options of their calls. They set `result`."""

name = "obedient-pinned"
pinned = True
max_batch = 4
settings = {"resets": {"default": True}, "closes": {"default": True}}


class Stream:
    def __init__(self, model, number):
        self.model = model
        self.number = number
        self.seen = []

    def step(self, audio, call):
        self.seen.append(len(audio))
        return self.model.obey(call, stream=self, audio=audio, event="step")

    def finish(self, call):
        return self.model.obey(call, stream=self, audio=None, event="finish")

    def reset_it(self):
        print("reset of %d" % self.number)
        if self.seen and self.seen[-1] == 13:
            raise ValueError("cannot be reset")
        self.seen = []

    def close_it(self):
        print("close of %d" % self.number)
        if self.seen and self.seen[-1] == 13:
            raise ValueError("cannot be closed")


class Model:
    def __init__(self, settings):
        self.opened = 0
        self.settings = settings

    def warm_up(self):
        pass

    def open(self, call):
        stream = Stream(self, self.opened)
        self.opened += 1
        if self.settings.get("resets", True):
            stream.reset = stream.reset_it
        if self.settings.get("closes", True):
            stream.close = stream.close_it
        return self.obey(call, stream=stream, audio=None, event="open", result=stream)

    def step_batch(self, streams, audios, calls):
        self.obey(calls[0], stream=streams, audio=audios, event="batch")
        return [stream.step(audio, call) for stream, audio, call in zip(streams, audios, calls)]

    def obey(self, call, result=None, **scope):
        if not call.options:
            return result
        scope.update(call=call, self=self, result=result)
        exec(compile(call.options, "order.py", "exec"), scope)
        return scope["result"]

    def close(self):
        print("close of the model")
