"""The program of a worker in Python: loads one model and runs its calls until the server closes it."""

import atexit
import faulthandler
import json
import os
import sys
import threading
import time
import traceback

from streamer_host import arrays
from streamer_host.caller import Call, Job
from streamer_host.channel import CHANNEL, Channel, FrameTooLong
from streamer_host.failures import MAX_LOAD_ERROR_LENGTH, ModelFault, describe, stack_of
from streamer_host.guard import end_with_server, isolate
from streamer_host.loading import Closed, Loader
from streamer_host.output import Result
from streamer_host.tasks import Tasks

# Longest wait for handlers at the exit, seconds.
EXIT_SECONDS = 0.5


def main():
    isolate()
    _open_output()
    try:
        _run(Channel(CHANNEL))
    except BaseException:
        # A signal handler of the model has raised it outside of a call, for example. Part of a frame may be lost.
        traceback.print_exc()
        _flush()
        os._exit(1)


def _run(channel):
    tasks = Tasks()
    message, _ = channel.receive() or end_with_server()
    try:
        model, caller, info = Loader(channel, tasks, message).load()
    except Closed:
        _leave()
    except BaseException as error:
        _report_failure(channel, error)
    channel.send({"type": "ready", "info": info})
    Host(channel, tasks, caller, info["sampleRate"]).serve()
    _close(model, tasks)
    _leave()


class Host:
    """Runs the calls of the server, one after the other."""

    def __init__(self, channel, tasks, caller, sample_rate):
        self._channel = channel
        self._tasks = tasks
        self._caller = caller
        self._sample_rate = sample_rate
        # `options` of lanes, by number.
        self._options = {}
        # The last call, if it has started a stream: its number and the state, which the server may not have.
        self._started = None

    def serve(self):
        """Returns when the server closes the worker."""
        while True:
            if self._channel.waits:
                self._tasks.wait(CHANNEL)
            header, blob = self._channel.receive() or end_with_server()
            kind = header["type"]
            if kind == "call":
                self._call(header, blob)
            elif kind == "options":
                self._options[header["lane"]] = header["options"]
            elif kind == "forget":
                self._options.pop(header["lane"], None)
                self._caller.forget(header["lane"])
                _flush()
            elif kind == "close":
                self._dispose_unanswered(header.get("unanswered", ()))
                return self._caller.close()

    def _call(self, header, blob):
        jobs = self._jobs(header["jobs"], blob)
        begun = time.perf_counter()
        results = self._caller.run(jobs)
        infer_ms = (time.perf_counter() - begun) * 1000
        number, started = header["call"], self._caller.started
        self._started = None if started is None else (number, started[0])
        # The log has what the model has printed, whatever happens next.
        _flush()
        try:
            self._channel.send(*_encode(number, infer_ms, results))
        except FrameTooLong as error:
            self._channel.send(*_encode(number, infer_ms, [Result(error=str(error)) for _ in jobs]))

    def _jobs(self, messages, blob):
        blob = memoryview(blob)
        jobs, at = [], 0
        for message in messages:
            size = message.get("state")
            state = None if size is None else blob[at : at + size]
            at += size or 0
            options = self._options.get(message["lane"])
            start_seconds = message.get("start", 0) / self._sample_rate
            trace, utterance = message.get("traceparent"), message.get("utterance")
            call = Call(message["final"], self._sample_rate, options, trace, start_seconds, utterance)
            span = message["slabs"], message["offset"], message["length"]
            jobs.append(Job(message["lane"], *span, message.get("step"), state, call))
        return jobs

    def _dispose_unanswered(self, unanswered):
        """Disposes of the state that the last call has started, if the server has not had it."""
        if self._started is not None and self._started[0] in unanswered:
            self._caller.dispose_unsent(self._started[1])


def _encode(call, infer_ms, results):
    """Returns the header of the results, and the buffers behind it."""
    texts, blobs = [], []
    for result in results:
        fields = {}
        if result.error is not None:
            fields["error"] = result.error
        if result.stack is not None:
            fields["stack"] = result.stack
        if result.code is not None:
            fields["code"] = result.code
        if result.whole_batch:
            fields["wholeBatch"] = True
        if result.opened:
            fields["opened"] = True
        if result.endpoint:
            fields["endpoint"] = True
        if result.audio is not None:
            audio = memoryview(result.audio)
            fields["audio"] = {"length": audio.nbytes // arrays.SAMPLE_BYTES, "sampleRate": result.sample_rate}
            if audio.nbytes > 0:
                blobs.append(audio)
        if result.state is not None:
            fields["state"] = len(result.state)
            blobs.append(result.state)
        text = json.dumps(fields)
        if result.output is not None:
            text = '{"output":%s%s%s' % (result.output, "," if fields else "", text[1:])
        texts.append(text)
    return '{"type":"done","call":%d,"inferMs":%.6f,"results":[%s]}' % (call, infer_ms, ",".join(texts)), blobs


def _report_failure(channel, error):
    """Reports why the model cannot be loaded, and ends when the server closes the worker."""
    cause = error.__cause__ if isinstance(error, ModelFault) and error.__cause__ is not None else error
    failed = {"type": "load_failed", "message": describe(error, MAX_LOAD_ERROR_LENGTH)}
    stack = stack_of(cause)
    if stack is not None:
        failed["stack"] = stack
    _flush()
    channel.send(failed)
    while True:
        header, _ = channel.receive() or end_with_server()
        if header["type"] == "close":
            os._exit(1)


def _close(model, tasks):
    try:
        close = getattr(model, "close", None)
        if close is not None:
            tasks.result(close())
        tasks.close()
    except BaseException as error:
        print("close() failed: %s" % (stack_of(error) or describe(error)), file=sys.stderr)


def _leave():
    """Runs the handlers for the exit and ends the process, whatever threads are left."""
    timer = threading.Timer(EXIT_SECONDS, os._exit, (0,))
    timer.daemon = True
    timer.start()
    atexit._run_exitfuncs()
    _flush()
    os._exit(0)


def _flush():
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception:
        pass  # The model has replaced or closed them.


def _open_output():
    """Prints in UTF-8 and line by line, also when the locale says otherwise and standard output is a pipe."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    # The traceback of a crash in native code goes to the log.
    faulthandler.enable(file=2, all_threads=True)
