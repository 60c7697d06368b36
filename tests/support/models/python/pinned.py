"""The model of ../pinned.ts: streams that count and sum their samples."""

import asyncio
import os
import time

name = "pinned"
max_batch = 4
pinned = True
settings = {"file": {"default": ""}, "resets": {"default": True}, "throws": {"default": ""}}

NATIVE_SECONDS = 0.9
THROW, EXIT, NATIVE, ENDPOINT, ONLY_ENDPOINT, NOTHING, LATER, LATER_THROW, CALL_BACK, STRANGE_ENDPOINT = range(1, 11)
PAUSE, LOSE, CENSUS = range(11, 14)


class Lost(Exception):
    stream_lost = True


class Stream:
    def __init__(self, model, number):
        self.model = model
        self.number = number
        self.samples = 0
        self.sum = 0.0
        if model.resets:
            self.reset = self.reset_it
        model.write("opened %s" % number)

    def step(self, audio, call):
        order = audio[0]
        obey(order)
        self.samples += len(audio)
        self.sum += sum(float(sample) for sample in audio[1:])
        said = {"stream": self.number, "samples": self.samples, "sum": self.sum}
        if order == LATER_THROW:
            return later(0.005, Exception("as ordered, later"))
        if order == NATIVE:
            self.model.write("stepping %s" % self.number)
            time.sleep(NATIVE_SECONDS)
        if order == LATER:
            self.model.write("stepping %s" % self.number)
            return later(0.02, said)
        if order == PAUSE:
            time.sleep(0.002)
        if order == CENSUS:
            return {**said, "open": self.model.count}
        if order == ENDPOINT:
            return {**said, "endpoint": True}
        if order == ONLY_ENDPOINT:
            return {"endpoint": True}
        if order == STRANGE_ENDPOINT:
            return {"endpoint": 1}
        if order == NOTHING:
            return None
        if order == CALL_BACK:
            told = {"start": call.start_seconds, "utterance": call.utterance}
            return {**told, "options": call.options, "traceparent": call.traceparent}
        return said

    def finish(self, call):
        self.model.write("finished %s" % self.number)
        self.model.fail("finish")
        return {"stream": self.number, "total": self.samples, "sum": self.sum}

    def reset_it(self):
        self.model.write("reset %s" % self.number)
        self.model.fail("reset")
        self.samples = self.sum = 0

    def close(self):
        self.model.write("closed %s" % self.number)
        self.model.count -= 1
        self.model.fail("close")


class Model:
    def __init__(self, settings, context):
        self.file = settings["file"]
        self.resets = settings["resets"]
        self.throws = settings["throws"].split(" ")
        self.spawn = context.spawn
        self.opened = 0
        self.count = 0

    def warm_up(self):
        pass

    def open(self, call):
        self.fail("open")
        stream = Stream(self, "%d.%d" % (self.spawn, self.opened))
        self.opened += 1
        self.count += 1
        return stream

    async def step_batch(self, streams, audios, calls):
        # Before any of the streams has moved on.
        for audio in audios:
            obey(audio[0])
        outputs = []
        for stream, audio, call in zip(streams, audios, calls):
            output = stream.step(audio, call)
            output = await output if asyncio.iscoroutine(output) else output
            outputs.append(output and {**output, "together": len(streams)})
        return outputs

    def close(self):
        self.write("ended %d" % self.spawn)
        self.fail("closeModel")

    def fail(self, what):
        if what in self.throws:
            raise Exception("%s fails" % what)

    def write(self, event):
        if self.file != "":
            with open(self.file, "a") as file:
                file.write("%s\n" % event)


async def later(seconds, result):
    await asyncio.sleep(seconds)
    if isinstance(result, Exception):
        raise result
    return result


def obey(order):
    """Does what leaves no stream as it was."""
    if order == THROW:
        raise Exception("as ordered")
    if order == LOSE:
        raise Lost("gone, as ordered")
    if order == EXIT:
        os._exit(3)
