"""The results of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Tuple

from .events import Data, ErrorEvent, Event, Segment, Started, Stopped, WarningEvent


@dataclass(frozen=True)
class Transcript:
    """Final results, in the order in which they came.

    `errors` has those spans that the model could not process. Interims and speech events are left out.
    """

    started: Started
    stopped: Stopped
    segments: Tuple[Segment, ...]
    data: Tuple[Data, ...]
    errors: Tuple[ErrorEvent, ...]
    warnings: Tuple[WarningEvent, ...]

    @property
    def text(self) -> str:
        """What a recogniser has understood, by time: one line, or with several channels one for each segment."""
        spoken = sorted((s for s in self.segments if s.text), key=lambda s: (s.start_time, s.channel))
        return (" " if self.started.format.channels == 1 else "\n").join(segment.text for segment in spoken)


class Collector:
    """Collects the events of one stream."""

    def __init__(self, started: Started) -> None:
        self.started = started
        self.stopped: Optional[Stopped] = None
        self.segments: List[Segment] = []
        self.data: List[Data] = []
        self.errors: List[ErrorEvent] = []
        self.warnings: List[WarningEvent] = []

    def add(self, event: Event) -> None:
        if isinstance(event, Segment) and event.is_final:
            self.segments.append(event)
        elif isinstance(event, Data):
            self.data.append(event)
        elif isinstance(event, ErrorEvent):
            self.errors.append(event)
        elif isinstance(event, WarningEvent):
            self.warnings.append(event)
        elif isinstance(event, Stopped):
            self.stopped = event

    def transcript(self, stopped: Stopped) -> Transcript:
        results = (tuple(self.segments), tuple(self.data), tuple(self.errors), tuple(self.warnings))
        return Transcript(self.started, stopped, *results)
