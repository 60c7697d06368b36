"""Loads a model: from the message of the server until it is warm."""

import inspect
import os
import sys
import time

from streamer_host import arrays, interface, model_file
from streamer_host.caller import Call, ModelCaller
from streamer_host.channel import ARENA
from streamer_host.failures import MAX_LOAD_ERROR_LENGTH, ModelFault, describe, place_of
from streamer_host.guard import WrongParent, end_with_server, guard
from streamer_host.pinned import PinnedStreams
from streamer_host.traces import NoTraces, Traces

DEFAULT_SAMPLE_RATE = 16000

_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy"}


class Context:
    """Information for `__init__` besides the settings."""

    def __init__(self, spawn):
        # Number of workers that the server started for this model before this one.
        self.spawn = spawn


class Closed(Exception):
    """The server closes the worker while it loads."""


class Loader:
    """Loads the model of a `load` message. Errors are ModelFaults, whose words follow "model X cannot be loaded: "."""

    def __init__(self, channel, tasks, message):
        self._channel = channel
        self._tasks = tasks
        self._message = message
        self._path = os.path.abspath(message["model"])

    def load(self):
        """Returns the model, its caller and its properties."""
        begun = time.perf_counter()
        self._guard()
        # Before the code of the model runs, which may fork.
        reader = arrays.SpanReader(ARENA, self._message["arena"]["slabs"], self._message["slabSamples"])
        os.close(ARENA)
        module = model_file.import_model(self._path)
        arrays.find_numpy()
        self._channel.send({"type": "declared", "module": model_file.declaration(module)})
        settings = self._wait_for_settings(module)
        traces = NoTraces()
        if getattr(module, "traces", False):
            # They may have secrets, so only a model that exports spans has them.
            os.environ.update(self._message.get("tracing", {}))
            traces = Traces()
        model = self._construct(module, settings)
        stateful, pinned = callable(getattr(model, "step", None)), interface.is_pinned(model)
        sample_rate = int(getattr(module, "sample_rate", None) or DEFAULT_SAMPLE_RATE)
        idempotent = bool(getattr(module, "idempotent", False))
        streams = PinnedStreams(model, self._tasks, reader, sample_rate) if pinned else None
        caller = ModelCaller(model, self._tasks, reader, traces, sample_rate, stateful, idempotent, streams)
        loaded, delay = time.perf_counter(), _run_delay_ms()
        self._part("the warm-up", lambda: self._warm_up(model, sample_rate, stateful, streams))
        warm = time.perf_counter()
        info = {
            "name": module.name,
            "sampleRate": sample_rate,
            "stateful": stateful,
            "pinned": pinned,
            "disposes": stateful and getattr(model, "dispose", None) is not None,
            "maxBatch": 1 if stateful else _max_batch(module),
            "maxBatchWaitMs": float(getattr(module, "max_batch_wait_ms", None) or 0),
            "idempotent": idempotent,
            "nativeAddon": False,
            # A busy machine does not make the model look slow.
            "warmUpMs": max(0.0, (warm - loaded) * 1000 - (_run_delay_ms() - delay)),
            "warmedByCall": getattr(model, "warm_up", None) is None,
            "loadMs": (warm - begun) * 1000,
            "python": _interpreter(),
        }
        if isinstance(getattr(module, "options", None), (list, tuple)):
            info["options"] = list(module.options)
        if arrays.numpy_problem is not None:
            print("NumPy cannot be imported, so audio is a memoryview: %s" % arrays.numpy_problem, file=sys.stderr)
        return model, caller, info

    def _guard(self):
        try:
            guard(self._message["parent"])
        except WrongParent:
            raise ModelFault(
                "the interpreter %s was started by another program than the server; allowed as model.python: Python, or "
                "a program that replaces itself by Python (exec)" % sys.executable
            ) from None

    def _wait_for_settings(self, module):
        header, _ = self._channel.receive() or end_with_server()
        if header["type"] == "close":
            raise Closed()
        settings, problems = header["settings"], header.get("problems") or []
        validate = getattr(module, "validate", None)
        if validate is not None:
            # The problems that a model finds itself are more exact.
            own = self._part("validate()", lambda: self._tasks.result(validate(settings)))
            problems = list(own) if own else problems
        if problems:
            raise ModelFault("its settings are refused: %s" % "; ".join(map(str, problems)))
        return settings

    def _construct(self, module, settings):
        model_class = interface.find_class(module, self._path)
        if any(inspect.iscoroutinefunction(getattr(model_class, name, None)) for name in interface.METHODS):
            self._tasks.open()
        context = Context(self._message["spawn"])
        model = self._part("Model()", lambda: interface.construct(model_class, settings, context))
        problem = interface.find_problem(model, module, _max_batch(module))
        if problem is not None:
            raise ModelFault("%s%s" % (problem, interface.class_place(model_class) or " (%s)" % self._path))
        return model

    def _part(self, name, task):
        """Runs a part of the model. An error gets the name of the part and the place."""
        try:
            return task()
        except ModelFault as fault:
            raise ModelFault("%s failed: %s" % (name, fault)) from fault.__cause__
        except BaseException as error:
            place = place_of(error, os.path.dirname(os.path.realpath(self._path)))
            suffix = "" if place is None else " (%s)" % place
            raise ModelFault("%s failed: %s%s" % (name, describe(error, MAX_LOAD_ERROR_LENGTH), suffix)) from error

    def _warm_up(self, model, sample_rate, stateful, streams):
        run = self._tasks.result
        if getattr(model, "warm_up", None) is not None:
            return run(model.warm_up())
        call = Call(True, sample_rate)
        if streams is not None:
            return streams.warm_up(call)
        audio = arrays.silence(sample_rate)
        if not stateful:
            return run(model.infer(audio, call))
        returned = run(model.step(audio, run(model.start(call)), call))
        if not isinstance(returned, (list, tuple)) or len(returned) != 2:
            raise ModelFault("step() must return (output or None, state)")
        if getattr(model, "finish", None) is not None:
            return run(model.finish(returned[1], call))
        if getattr(model, "dispose", None) is not None:
            return run(model.dispose(returned[1]))


def _max_batch(module):
    return int(getattr(module, "max_batch", None) or 1)


def _interpreter():
    name = sys.implementation.name
    found = {
        "executable": sys.executable,
        "version": ".".join(map(str, sys.version_info[:3])),
        "implementation": _IMPLEMENTATIONS.get(name, name),
    }
    if arrays.numpy is not None:
        found["numpy"] = arrays.numpy.__version__
    return found


def _run_delay_ms():
    """Returns the time for which this thread has waited for a processor; 0 where it is not known."""
    try:
        with open("/proc/thread-self/schedstat") as file:
            return int(file.read().split()[1]) / 1e6
    except (OSError, IndexError, ValueError):
        return 0.0
