"""Streams of a pinned model. They stay in this process for their lives."""

import sys

from streamer_host import arrays
from streamer_host.caller import failure
from streamer_host.failures import ModelFault, describe
from streamer_host.guard import end_fork
from streamer_host.interface import class_place, find_stream_problem
from streamer_host.output import Result, check_output, describe_kind


class Open:
    """The stream of a lane."""

    __slots__ = ("stream", "used", "opened_by")

    def __init__(self, stream, job):
        self.stream = stream
        # It has had audio since it was opened or reset.
        self.used = False
        # The job that has opened it, until the server has a result that says so.
        self.opened_by = job

    def report(self, job, result):
        """Adds to the first result of a stream that it was opened.

        When that call has failed, the next result has it: the server does not know yet that the stream before is lost,
        unless it has asked for a new one.
        """
        opened_by, self.opened_by = self.opened_by, None
        result.opened = opened_by is not None and (opened_by is job or opened_by.step != "start")
        return result


class PinnedStreams:
    """Opens, steps and closes the streams of a model: at most one for each lane."""

    def __init__(self, model, tasks, reader, sample_rate):
        self._model = model
        self._run = tasks.result
        self._reader = reader
        self._sample_rate = sample_rate
        # By the numbers of their lanes.
        self._streams = {}
        self._printed = False
        # The class of streams that has been checked.
        self._known = None

    def run(self, jobs):
        """Runs one call. Returns one result for each job, in order. Errors that the model raises become results."""
        if len(jobs) == 1:
            return [_attempt(self._run_one, jobs[0])]
        return self._run_batch(jobs)

    def forget(self, lane):
        """Closes the stream of a lane that has ended."""
        found = self._streams.pop(lane, None)
        if found is not None:
            self._close(found.stream)

    def close(self):
        """Closes all streams."""
        for lane in list(self._streams):
            self.forget(lane)

    def warm_up(self, call):
        """Runs a stream of one second of silence."""
        stream = self._open_stream(call)
        try:
            self._try_out("step", stream, arrays.silence(self._sample_rate), call)
            self._try_out("finish", stream, call)
            if getattr(stream, "reset", None) is not None:
                self._run(stream.reset())
        finally:
            self._close(stream)

    def _try_out(self, name, stream, *arguments):
        output = self._run(getattr(stream, name)(*arguments))
        try:
            self._result(output)
        except ModelFault as fault:
            raise ModelFault("%s(): %s%s" % (name, fault, class_place(type(stream)))) from None

    def _run_one(self, job):
        if job.step == "finish":
            return self._finish(job)
        found = self._prepare(job)
        if job.length == 0:
            return found.report(job, Result())
        found.used = True
        try:
            output = self._run(found.stream.step(self._read(job), job.call))
        except BaseException as error:
            self._failed(error, [job])
            raise
        return found.report(job, self._result(output))

    def _run_batch(self, jobs):
        """Steps streams together. A step cannot be repeated, so that a batch fails whole."""
        results, stepped = [None] * len(jobs), []
        for i, job in enumerate(jobs):
            if job.step == "finish" or job.length == 0:
                results[i] = _attempt(self._run_one, job)
                continue
            found = _attempt(self._prepare, job)
            if isinstance(found, Result):
                results[i] = found
            else:
                stepped.append((i, found))
        if len(stepped) == 1:
            [(i, _)] = stepped
            results[i] = _attempt(self._run_one, jobs[i])
        elif stepped:
            outputs = self._step_batch([jobs[i] for i, _ in stepped], [found for _, found in stepped])
            for (i, found), result in zip(stepped, outputs):
                results[i] = result if result.error is not None else found.report(jobs[i], result)
        return results

    def _step_batch(self, jobs, opened):
        for found in opened:
            found.used = True
        try:
            streams = [found.stream for found in opened]
            audios, calls = [self._read(job) for job in jobs], [job.call for job in jobs]
            outputs = self._run(self._model.step_batch(streams, audios, calls))
            if not isinstance(outputs, (list, tuple)) or len(outputs) != len(jobs):
                found = len(outputs) if isinstance(outputs, (list, tuple)) else describe_kind(outputs)
                raise ModelFault("step_batch() must return a list of %d outputs; found %s" % (len(jobs), found))
            return [_attempt(self._result, output) for output in outputs]
        except BaseException as error:
            end_fork(error)
            self._failed(error, jobs)
            return [failure(error, whole_batch=True) for _ in jobs]

    def _failed(self, error, jobs):
        """A stream goes on after an error, unless the error says that there is none any more."""
        if getattr(error, "stream_lost", False) is True:
            for job in jobs:
                self.forget(job.lane)

    def _prepare(self, job):
        """Returns the stream of a job, which is a new one if the lane has none, or is to begin anew."""
        last = self._streams.get(job.lane)
        if last is not None and (job.step != "start" or not last.used or last.opened_by is job):
            return last
        self.forget(job.lane)
        found = self._streams[job.lane] = Open(self._open_stream(job.call), job)
        return found

    def _open_stream(self, call):
        stream = self._run(self._model.open(call))
        if type(stream) is not self._known:
            problem = find_stream_problem(stream)
            if problem is not None:
                raise ModelFault("%s%s" % (problem, class_place(type(stream))))
            self._known = type(stream)
        return stream

    def _finish(self, job):
        """Ends an utterance. Afterwards the stream is as a new one, or closed."""
        found = self._streams.get(job.lane)
        if found is None:
            # What it was given is lost: without this, nobody would know.
            result = Result()
            result.opened = True
            return result
        try:
            result = self._result(self._run(found.stream.finish(job.call)))
        except BaseException:
            # Nobody knows what is left of the utterance in it.
            self.forget(job.lane)
            raise
        self._renew(job.lane, found)
        result.endpoint = False
        return found.report(job, result)

    def _renew(self, lane, found):
        if getattr(found.stream, "reset", None) is None:
            return self.forget(lane)
        try:
            self._run(found.stream.reset())
            found.used = False
        except BaseException as error:
            end_fork(error)
            self._print_once("reset()", error)
            self.forget(lane)

    def _close(self, stream):
        """Closes a stream. An error must not hide what the call is about: the stream is gone anyway."""
        try:
            self._run(_close(stream))
        except BaseException as error:
            end_fork(error)
            self._print_once("close()", error)

    def _print_once(self, what, error):
        """Once for a worker, so that the log is not flooded when every stream fails."""
        if not self._printed:
            print("%s of a stream failed: %s" % (what, describe(error)), file=sys.stderr)
        self._printed = True

    def _read(self, job):
        return self._reader.read(job.slabs, job.offset, job.length)

    def _result(self, output):
        if isinstance(output, tuple):
            raise ModelFault(
                "the model's output must be a dict, not a tuple; a pinned stream keeps its state itself and returns the output alone"
            )
        output, endpoint = take_endpoint(output)
        result = Result() if output is None else check_output(output, self._sample_rate)
        result.endpoint = endpoint
        return result


def _close(stream):
    close = getattr(stream, "close", None)
    return None if close is None else close()


def take_endpoint(output):
    """Returns an output without its field `endpoint`, and the value of that. An output with nothing else is none."""
    if not isinstance(output, dict) or "endpoint" not in output:
        return output, False
    endpoint = False if output["endpoint"] is None else output["endpoint"]
    if arrays.numpy is not None and isinstance(endpoint, arrays.numpy.bool_):
        endpoint = bool(endpoint)
    if not isinstance(endpoint, bool):
        raise ModelFault('the output\'s "endpoint" is %.60r; allowed: True or False' % (endpoint,))
    rest = {name: value for name, value in output.items() if name != "endpoint"}
    return rest or None, endpoint


def _attempt(task, argument):
    """Returns what a task returns, or the error that it raises as a result."""
    try:
        return task(argument)
    except BaseException as error:
        end_fork(error)
        return failure(error)
