"""Trace contexts of calls, for models that start spans with OpenTelemetry."""

import contextlib

from streamer_host.failures import ModelFault


class NoTraces:
    def within(self, traceparent):
        return contextlib.nullcontext()


class Traces:
    """Makes the trace context of a call the current one. The model exports its spans itself."""

    def __init__(self):
        try:
            from opentelemetry import context
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
        except ImportError as error:
            message = "traces: found true, but %s; the package opentelemetry-api has it" % error
            raise ModelFault(message) from error
        self._context = context
        self._propagator = TraceContextTextMapPropagator()

    @contextlib.contextmanager
    def within(self, traceparent):
        if traceparent is None:
            yield
            return
        token = self._context.attach(self._propagator.extract({"traceparent": traceparent}))
        try:
            yield
        finally:
            self._context.detach(token)
