"""Calls of the model."""

import sys

from streamer_host import states
from streamer_host.failures import ModelFault, code_of, describe, stack_of
from streamer_host.guard import end_fork
from streamer_host.output import Result, check_output


class Call:
    """Information about one call besides the audio."""

    __slots__ = ("final", "sample_rate", "options", "traceparent", "start_seconds", "utterance")

    def __init__(self, final, sample_rate, options=None, traceparent=None, start_seconds=0.0, utterance=None):
        # False: the result is an interim one of an utterance that is still in progress.
        self.final = final
        self.sample_rate = sample_rate
        # `options` of the client's `start`, as sent.
        self.options = options
        # W3C trace context.
        self.traceparent = traceparent
        # Where the audio starts, from the start of the stream.
        self.start_seconds = start_seconds
        # Number of the utterance in the stream, from 0; None on patterns without utterances.
        self.utterance = utterance

    def __repr__(self):
        return "Call(%s)" % ", ".join("%s=%r" % (name, getattr(self, name)) for name in self.__slots__)


class Job:
    """A span of audio to process, and what belongs to it."""

    __slots__ = ("lane", "slabs", "offset", "length", "step", "state", "call")

    def __init__(self, lane, slabs, offset, length, step, state, call):
        self.lane = lane
        self.slabs = slabs
        self.offset = offset
        self.length = length
        self.step = step
        self.state = state
        self.call = call


def failure(error, whole_batch=False):
    result = Result(error=describe(error), stack=stack_of(error), whole_batch=whole_batch)
    result.code = code_of(error)
    return result


class ModelCaller:
    """Calls a loaded model and checks what it returns. Errors that the model raises become results."""

    def __init__(self, model, tasks, reader, traces, sample_rate, stateful, idempotent, streams=None):
        """`streams` are those of a pinned model."""
        self._model = model
        self._run = tasks.result
        self._reader = reader
        self._traces = traces
        self._sample_rate = sample_rate
        self._stateful = stateful
        self._idempotent = idempotent
        self._streams = streams
        self._batch_failed = False
        # The state that the last call has started and nobody has yet.
        self.started = None

    def run(self, jobs):
        """Runs one call. Returns one result for each job, in order."""
        self.started = None
        try:
            with self._traces.within(jobs[0].call.traceparent):
                if self._streams is not None:
                    return self._streams.run(jobs)
                if self._stateful:
                    return [self._step(jobs[0])]
                if len(jobs) > 1:
                    return self._infer_batch(jobs)
                return [self._infer(jobs[0])]
        except BaseException as error:
            end_fork(error)
            return [failure(error) for _ in jobs]

    def forget(self, lane):
        """Forgets a lane that has ended."""
        if self._streams is not None:
            self._streams.forget(lane)

    def close(self):
        """Closes the streams that are open."""
        if self._streams is not None:
            self._streams.close()

    def dispose_unsent(self, state):
        """Disposes of a state that the server does not get. An error must not hide the reason for it."""
        try:
            self._dispose(state)
        except BaseException as error:
            print("dispose() failed: %s" % describe(error), file=sys.stderr)

    def _read(self, job):
        return self._reader.read(job.slabs, job.offset, job.length)

    def _infer(self, job):
        return self._checked(self._run(self._model.infer(self._read(job), job.call)), job)

    def _infer_batch(self, jobs):
        """Calls the jobs one by one when the batch fails and a call may be repeated: one bad job fails alone."""
        audios, calls = [self._read(job) for job in jobs], [job.call for job in jobs]
        try:
            outputs = self._run(self._model.infer_batch(audios, calls))
            if not isinstance(outputs, (list, tuple)) or len(outputs) != len(jobs):
                raise ModelFault("infer_batch() must return a list of %d outputs" % len(jobs))
            return [self._try_check(output, job) for output, job in zip(outputs, jobs)]
        except BaseException as error:
            if not self._idempotent:
                end_fork(error)
                return [failure(error, whole_batch=True) for _ in jobs]
            # Once, so that the log shows if every batch fails.
            if not self._batch_failed:
                print("infer_batch() failed; its jobs are called one by one: %s" % describe(error), file=sys.stderr)
            self._batch_failed = True
        results = []
        for job in jobs:
            try:
                results.append(self._infer(job))
            except BaseException as error:
                results.append(failure(error))
        return results

    def _result(self, output):
        return Result() if output is None else check_output(output, self._sample_rate)

    def _checked(self, output, job):
        """None declines an interim result. A final one must be answered."""
        if output is None and not job.call.final:
            return Result()
        return check_output(output, self._sample_rate)

    def _try_check(self, output, job):
        try:
            return self._checked(output, job)
        except Exception as error:
            return failure(error)

    def _step(self, job):
        model = self._model
        if job.step == "dispose":
            self._dispose(states.restore(job.state))
            return Result()
        if job.step == "finish":
            return self._finish(job)
        if job.step == "step":
            return self._result_of(self._run(model.step(self._read(job), states.restore(job.state), job.call)))[0]
        return self._start(job)

    def _start(self, job):
        """Starts a stream and makes its first step. If that fails, the server has no state to dispose of."""
        model = self._model
        state = self._run(model.start(job.call))
        try:
            result = Result()
            if job.length == 0:
                result.state = states.save(state)
            else:
                returned = self._run(model.step(self._read(job), state, job.call))
                if _is_step(returned):
                    state = returned[1]
                result, state = self._result_of(returned)
        except BaseException:
            self.dispose_unsent(state)
            raise
        self.started = (state,)
        return result

    def _finish(self, job):
        """A state is given to exactly one of `finish` and `dispose`."""
        state = states.restore(job.state)
        if getattr(self._model, "finish", None) is None:
            self._dispose(state)
            return Result()
        output = self._run(self._model.finish(state, job.call))
        return self._result(output)

    def _dispose(self, state):
        dispose = getattr(self._model, "dispose", None)
        if dispose is not None:
            self._run(dispose(state))

    def _result_of(self, returned):
        if not _is_step(returned):
            raise ModelFault("step() must return (output or None, state)")
        output, state = returned
        result = self._result(output)
        result.state = states.save(state)
        return result, state


def _is_step(returned):
    return isinstance(returned, (list, tuple)) and len(returned) == 2
