"""Prints events as lines of text, like `streamer send`."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, Dict, Iterator, Mapping, Optional

from .events import Active, Data, ErrorEvent, Event, Flushed, Inactive, Segment, Started, Stopped, WarningEvent


def event_line(event: Event) -> Optional[str]:
    """Return the line of an event; None: it has none."""
    if isinstance(event, Active):
        return _line(event.channel, _seconds(event.time), "speech begins")
    if isinstance(event, Inactive):
        return _line(event.channel, _seconds(event.time), "speech ends")
    if isinstance(event, Segment):
        # Blocks have no `is_final`.
        kind = "" if event.raw.get("is_final") is None else "final  " if event.is_final else "interim "
        return _line(event.channel, _span(event.start_time, event.end_time), kind + _output(event.output))
    if isinstance(event, Data):
        return _line(event.channel, "", _output(event.output))
    if isinstance(event, Flushed):
        return _line(event.channel, _seconds(event.time), "flushed")
    if isinstance(event, ErrorEvent):
        text = printable(f"error {event.code}: {event.message}")
        return _line(event.channel, _span(event.start_time, event.end_time), text)
    if isinstance(event, WarningEvent):
        return _line(event.channel, "", printable(f"warning {event.code}: {event.message}"))
    if isinstance(event, (Started, Stopped)):
        return None
    return printable(json_line(event))


def json_line(event: Event) -> str:
    """Return an event as the server writes it, so that the lines are those of `streamer send --format json`."""
    return json.dumps(event.raw, ensure_ascii=False, separators=(",", ":"))


def printable(text: str) -> str:
    """Escape what a terminal would act on: texts come from the server and its model."""
    return "".join(
        f"\\u{{{ord(each):x}}}" if unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") else each
        for each in text
    )


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _output(output: Mapping[str, Any]) -> str:
    return printable(" ".join(_parts(dict(output))))


def _parts(fields: Dict[str, Any]) -> Iterator[str]:
    text = fields.get("text")
    if isinstance(text, str):
        yield f'"{text}"'
        del fields["text"]
        fields.pop("words", None)
        if isinstance(fields.get("language"), str):
            yield f"({fields.pop('language')})"
    for name, value in fields.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        shown = _number(value) if is_number else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        yield f"{name}={shown}"


def _number(value: float) -> str:
    text = f"{value:,.3f}"
    return text.rstrip("0").rstrip(".")


def _line(channel: Optional[int], time: str, text: str) -> str:
    label = "" if channel is None else f"[{channel}]"
    return f"{label:<5}{time:>18}  {text}"


def _seconds(time: float) -> str:
    return f"{time:7.2f}"


def _span(start: Optional[float], end: Optional[float]) -> str:
    return "" if start is None or end is None else f"{_seconds(start)} - {_seconds(end)}"
