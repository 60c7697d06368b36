"""The open stream of a client: what it has sent and received since the last checkpoint, to go on elsewhere."""

from __future__ import annotations

from typing import Dict, List, Optional

from ._kept import Audio, KeptStream, Request, Sendable
from ._repeated import RepeatedEvents
from .errors import StreamEnded
from .events import Checkpoint, ErrorEvent, Event, Started, Stopped
from .ledger import LedgerCheck, SentAudio


class ResumableStream:
    """One stream, over one connection or, if the server can resume streams, one after the other."""

    def __init__(self, can_resume: bool, max_kept_bytes: int) -> None:
        self._may_resume = can_resume
        self._kept = KeptStream(max_kept_bytes)
        self._repeated = RepeatedEvents()
        self._token: Optional[str] = None
        #: Bytes before which nothing need be sent again.
        self._from = 0
        self._check: Optional[LedgerCheck] = None
        self.started: Optional[Started] = None
        self.stopped: Optional[Stopped] = None
        #: The last error that names no span: why the server ends the stream.
        self.error: Optional[ErrorEvent] = None
        self.sent_bytes = 0
        self.resumptions = 0
        self.has_sent_stop = False
        #: A ledger that does not add up was reported.
        self.is_checked = False

    @property
    def can_resume(self) -> bool:
        return self.started is not None and self._keeps and self._kept.has(self._from)

    @property
    def resume(self) -> Dict[str, Dict[str, str]]:
        """The field `resume` of a start; none without a checkpoint, when the stream begins anew."""
        return {} if self._token is None else {"resume": {"token": self._token}}

    @property
    def _keeps(self) -> bool:
        return self._may_resume and self.stopped is None and (self.started is None or "resume" in self.started.features)

    def check_open(self) -> None:
        """Raise StreamEnded if nothing can be sent on the stream any more."""
        if self.stopped is not None:
            why = f": {self.error.code}: {self.error.message}" if self.error is not None else ""
            raise StreamEnded(f"the stream has ended ({self.stopped.reason}){why}", self.stopped, self.error)
        if self.has_sent_stop:
            raise StreamEnded("the stream was stopped: nothing can be sent any more")

    def audio(self, data: bytes) -> Sendable:
        """Add audio. Return what has to be sent next."""
        self.sent_bytes += len(data)
        return self._take(Audio(0, data))

    def request(self, request: Request) -> Sendable:
        """Add a request. Return what has to be sent next."""
        if request.name == "flush" and self._keeps:
            self._repeated.flushed()
        return self._take(request)

    def take(self) -> Optional[Sendable]:
        """Return what is to be sent next on this connection, once."""
        return self._kept.take()

    def rewind(self) -> None:
        """Note that everything since the last checkpoint is sent again, and what comes may have come before."""
        self._kept.rewind(self._from)
        self._repeated.resume()

    def accept(self, event: Event) -> bool:
        """Take an event. Return False for one that the user must not get: it is a repetition, or for this class."""
        if isinstance(event, Started):
            return self._start(event)
        if self._keeps and self.started is not None:
            if isinstance(event, Checkpoint):
                self._token = event.token
                self._from = event.position * self.started.format.frame_bytes
                self._kept.release(self._from, self._repeated.checkpoint())
                return False
            if self._repeated.is_repeated(event):
                return False
        if isinstance(event, ErrorEvent) and event.channel is None:
            self.error = event
        if self._check is not None:
            self._check.add(event)
        if isinstance(event, Stopped):
            self.stopped = event
            self._kept.clear()
        return True

    def problems(self) -> List[str]:
        """Compare the ledger with what was sent and received. Return a sentence for each difference."""
        if self.started is None or self.stopped is None or self._check is None:
            return []
        format = self.started.format
        sent = SentAudio(
            bytes=self.sent_bytes,
            frame_bytes=format.frame_bytes,
            channels=format.channels,
            sample_rate=format.sample_rate,
            model_rate=self.started.sample_rate,
            is_resumed=self.resumptions > 0,
        )
        return self._check.problems(self.stopped, sent)

    def _take(self, item: Sendable) -> Sendable:
        if not self._keeps:
            return item
        if isinstance(item, Audio):
            self._kept.audio(item.data)
        else:
            self._kept.request(item)
        # Everything before has been sent: items are added and sent one at a time.
        return self._kept.take() or item

    def _start(self, started: Started) -> bool:
        is_first = self.started is None
        self.started = started
        if is_first:
            self._check = LedgerCheck(started.sample_rate)
            self._repeated.begin(started.format.channels)
        if not self._keeps:
            self._kept.clear()
        return is_first
