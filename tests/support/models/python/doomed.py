"""The model of ../doomed.ts: ends its worker in every way there is, in one of so many calls as `rate` says."""

import ctypes
import os
import random
import resource
import signal
import sys
import threading
import time

name = "doomed"
settings = {"rate": {"default": 0.3}, "seed": {"default": 0}, "record": {"default": ""}}

# Workers that load in any case, so that the server becomes ready.
SPARED = 8


def fail():
    raise ValueError("a death of the kind throw")


def segment():
    # The traceback of each would be the most of the log.
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    ctypes.string_at(0)


def use_memory():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 29, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return [bytearray(1 << 20) for _ in range(1 << 11)]


def loop():
    while True:
        pass


# Each is a byte of the file `record`.
DEATHS = {
    "t": fail,
    "e": lambda: os._exit(1),
    "E": lambda: threading.Timer(0, os._exit, (2,)).start(),
    "k": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "g": segment,
    "m": use_memory,
    "h": lambda: time.sleep(0.4),
    "s": loop,
    "n": lambda: ctypes.PyDLL(None).sleep(100_000),
}
LOAD = "l"


class Model:
    def __init__(self, settings, context):
        self.random = random.Random("%s %d" % (settings["seed"], context.spawn))
        self.rate = settings["rate"]
        self.record = settings["record"]
        if context.spawn >= SPARED and self.random.random() < self.rate / 2:
            self.note(LOAD)
            raise ValueError("a load that fails")

    def warm_up(self):
        pass

    def infer(self, audio, call):
        if self.random.random() < self.rate:
            death = self.random.choice(list(DEATHS))
            self.note(death)
            DEATHS[death]()
        return {"count": len(audio)}

    def note(self, death):
        if self.record:
            with open(self.record, "a") as file:
                file.write(death)
