"""The model of ../broken.ts: fails to load in the way that its setting `how` names."""

import os
import time

name = "broken"


def validate(settings):
    return ["how: not like this"] if settings.get("how") == "settings" else []


class Model:
    def __init__(self, settings, context):
        self.file = settings.get("file")
        self.spawn = context.spawn
        how = settings.get("how")
        if how == "throw":
            raise Exception("no weights")
        if how == "exit":
            os._exit(5)
        if how == "hang":
            time.sleep(100_000)
        if how == "second time" and self.spawn > 0:
            raise Exception("only once")
        if how != "close":
            self.close = None

    def warm_up(self):
        pass

    def infer(self, audio, call):
        if len(audio) and audio[0] == 2:
            os._exit(3)
        if self.file is None:
            return {"count": len(audio), "spawn": self.spawn}
        if audio[0] == 3:
            time.sleep(0.05)
        self.write("called\n")
        return {}

    def close(self):
        self.write("closed")

    def write(self, text):
        with open(self.file, "a") as file:
            file.write(text)
