"""Finds the events of a resumed stream that were received before the connection was lost."""

from __future__ import annotations

from collections import Counter
from typing import Dict, List, Optional

from .events import Active, Data, ErrorEvent, Event, Flushed, Inactive, Segment, WarningEvent


class RepeatedEvents:
    """Events that the server sent after the checkpoint from which the stream goes on come again.

    The memory is what comes between two checkpoints.
    """

    def __init__(self) -> None:
        #: Keys of the events since the last checkpoint; of these, the ones that come again.
        self._since: Counter[str] = Counter()
        self._expected: Counter[str] = Counter()
        #: Flushes that had not been answered in every channel at the last checkpoint, with their answers by channel.
        self._flushes: List[Dict[int, str]] = []
        #: Start of the last final of each channel.
        self._finals: Dict[int, float] = {}
        self._channels = 1

    def begin(self, channels: int) -> None:
        """Note that a stream begins."""
        self._channels = channels

    def flushed(self) -> None:
        """Note that a flush has been requested for the first time."""
        self._flushes.append({})

    def checkpoint(self) -> int:
        """Note that the stream can go on from here. Return how many of the flushes, the first ones, are answered."""
        answered = 0
        while answered < len(self._flushes) and len(self._flushes[answered]) >= self._channels:
            answered += 1
        del self._flushes[:answered]
        # What has not come again by now comes later, and so do the answers of a flush that is not answered everywhere.
        self._since = Counter(self._expected)
        for answers in self._flushes:
            for key in answers.values():
                if self._expected[key] == 0:
                    self._since[key] += 1
        return answered

    def resume(self) -> None:
        """Note that the stream goes on from the last checkpoint, or from its start if there was none."""
        self._expected = Counter(self._since)

    def is_repeated(self, event: Event) -> bool:
        """Take the next event. Return True for one that has been received before."""
        if isinstance(event, Segment) and not event.is_final:
            return event.start_time <= self._finals.get(event.channel, -1)
        key = _key_of(event)
        if key is None:
            return False
        if self._expected[key] > 0:
            self._expected[key] -= 1
            return True
        self._since[key] += 1
        if isinstance(event, Segment):
            self._finals[event.channel] = event.start_time
        elif isinstance(event, Flushed):
            for answers in self._flushes:
                if event.channel not in answers:
                    answers[event.channel] = key
                    break
        return False


def _key_of(event: Event) -> Optional[str]:
    """Identify an event among those that can come again; None: it is always new."""
    if isinstance(event, (Active, Inactive, Flushed)):
        return f"{event.type} {event.channel} {event.time!r}"
    if isinstance(event, Segment):
        return f"final {event.channel} {event.start_time!r}"
    if isinstance(event, Data):
        return f"end {event.channel}"
    if isinstance(event, ErrorEvent) and event.channel is not None:
        place = "end" if event.start_time is None else "final"
        return f"{place} {event.channel}" + ("" if event.start_time is None else f" {event.start_time!r}")
    if isinstance(event, WarningEvent) and event.code != "draining":
        return f"warning {event.code}"
    return None
