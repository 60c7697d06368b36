"""A pinned model that counts and sums the samples of each utterance, and ends its process at a sample of full scale 2."""

import os

name = "spoken"
pinned = True

EXIT = 2


class Stream:
    def __init__(self):
        self.reset()

    def step(self, audio, call):
        if EXIT in audio:
            os._exit(3)
        self.samples += len(audio)
        self.sum += sum(map(abs, audio))
        self.steps.append(len(audio))
        return self.said(call)

    def finish(self, call):
        word = {"word": "all", "start": 0, "end": self.samples / call.sample_rate}
        return {**self.said(call), "steps": self.steps, "words": [word]}

    def said(self, call):
        return {"samples": self.samples, "sum": round(self.sum, 3), "utterance": call.utterance}

    def reset(self):
        self.samples = 0
        self.sum = 0.0
        self.steps = []


class Model:
    def open(self, call):
        return Stream()
