"""The model of ../handles.ts: its states stand for something outside of Python."""

import os
import time
import uuid

name = "handles"
settings = {"file": {"default": ""}, "finishes": {"default": True}}

THROW, EXIT, RESERVED, PAUSE, BIGINT = 1, 2, 7, 17, 5


class Model:
    def __init__(self, settings):
        self.file = settings["file"]
        if settings["finishes"]:
            self.finish = self.finish_stream

    def start(self, call):
        handle = {"id": str(uuid.uuid4()), "steps": 0}
        self.write("started", handle)
        return handle

    def step(self, audio, handle, call):
        following = {**handle, "steps": handle["steps"] + 1}
        order = audio[0]
        if order in (EXIT, PAUSE):
            self.write("stepping", handle)
            time.sleep(0.02)
        if order == THROW:
            raise Exception("as ordered")
        if order == EXIT:
            os._exit(3)
        if order == RESERVED:
            return {"channel": 1}, following
        if order == BIGINT:
            return {}, {**following, "strange": lambda: 1}
        return {"steps": following["steps"]}, following

    def finish_stream(self, handle, call):
        self.write("finished", handle)
        return {"steps": handle["steps"]}

    def dispose(self, handle):
        self.write("disposed", handle)

    def write(self, event, handle):
        with open(self.file, "a") as file:
            file.write("%s %s %d\n" % (event, handle["id"], handle["steps"]))
