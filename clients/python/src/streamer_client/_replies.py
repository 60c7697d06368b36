"""Which events answer a start."""

from __future__ import annotations

from .events import ErrorEvent, Event, Started

#: The errors that refuse a `start`. They name no channel.
REFUSALS = frozenset(
    {
        "invalid_json",
        "invalid_request",
        "unknown_request",
        "unsupported_format",
        "unknown_model",
        "too_many_requests",
        "model_unavailable",
        "overloaded",
        "draining",
    }
)


def is_reply(event: Event) -> bool:
    # After a fatal error, such as draining, no start is answered any more.
    if isinstance(event, ErrorEvent):
        return event.channel is None and (event.fatal or event.code in REFUSALS)
    return isinstance(event, Started)
