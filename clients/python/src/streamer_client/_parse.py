"""Reads events from JSON objects."""

from __future__ import annotations

from typing import Any, Dict, Mapping, cast

from ._decode import EventError, decode
from .events import (
    Active,
    Checkpoint,
    Data,
    ErrorEvent,
    Event,
    Flushed,
    Inactive,
    Segment,
    Started,
    Stopped,
    UnknownEvent,
    WarningEvent,
)

#: Classes of events by the value of `type`.
EVENTS: Mapping[str, Any] = {
    event.type: event
    for event in (Started, Active, Inactive, Segment, Data, Flushed, Checkpoint, Stopped, ErrorEvent, WarningEvent)
}

#: Fields that the library adds to those of the protocol.
ADDED_FIELDS = frozenset({"raw", "output", "data"})


def parse_event(value: Any) -> Event:
    """Read an event from a JSON object.

    Known fields are checked. Raises EventError, which names the field, for one that the protocol does not allow.
    """
    body = cast("Dict[str, Any]", value if isinstance(value, dict) else {})
    kind = body.get("type")
    if not isinstance(kind, str):
        raise EventError('found something else; allowed: an object with a string "type"')
    event_class = EVENTS.get(kind)
    if event_class is None:
        return UnknownEvent(kind, body)
    added: Dict[str, Any] = {"raw": body}
    if event_class is Segment or event_class is Data:
        reserved = event_class.__dataclass_fields__
        # `is_final` and the times are reserved in both: a model cannot return them.
        added["output"] = {k: v for k, v in body.items() if k != "type" and (k not in reserved or k in ADDED_FIELDS)}
    event: Event = decode(event_class, body, kind, ADDED_FIELDS, added)
    return event
