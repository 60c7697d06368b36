"""What has been sent since the last checkpoint, to be sent again if the connection is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional, Union

#: Most bytes of audio that are kept to be sent again. Past it the oldest go, and the stream cannot be resumed.
MAX_KEPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Audio:
    """Audio, at a place counted in bytes from the start of its stream."""

    at: int
    data: bytes

    @property
    def end(self) -> int:
        return self.at + len(self.data)


@dataclass(frozen=True)
class Request:
    """A request but `start`, as JSON."""

    name: str
    text: str


Sendable = Union[Audio, Request]


class KeptStream:
    def __init__(self, limit: int = MAX_KEPT_BYTES) -> None:
        self._limit = limit
        self._items: List[Sendable] = []
        #: Index of the first item that has not been sent on this connection.
        self._next = 0
        #: Bytes from which on all audio is kept, and the end of the audio.
        self._start = 0
        self._end = 0

    @property
    def kept_bytes(self) -> int:
        return self._end - self._start

    def audio(self, data: bytes) -> None:
        self._items.append(Audio(self._end, data))
        self._end += len(data)
        if self.kept_bytes > self._limit:
            self._forget(self._end - self._limit)

    def request(self, request: Request) -> None:
        self._items.append(request)

    def take(self) -> Optional[Sendable]:
        """Return the next item to send on this connection, once."""
        if self._next >= len(self._items):
            return None
        self._next += 1
        return self._items[self._next - 1]

    def rewind(self, at: int) -> None:
        """On a new connection everything is sent again, audio from byte `at` on."""
        self._forget(at)
        for index, item in enumerate(self._items):
            if isinstance(item, Audio):
                if item.at < at:
                    self._items[index] = Audio(at, item.data[at - item.at :])
                break
        self._next = 0

    def release(self, at: int, flushes: int) -> None:
        """Drop the audio before byte `at`, and the first requests of a flush."""
        for _ in range(flushes):
            for index, item in enumerate(self._items):
                if isinstance(item, Request) and item.name == "flush":
                    self._remove(index, 1)
                    break
        self._forget(at)

    def has(self, at: int) -> bool:
        """All audio from byte `at` on is kept."""
        return self._start <= at <= self._end

    def clear(self) -> None:
        self._items = []
        self._next = self._start = self._end = 0

    def _forget(self, at: int) -> None:
        """Drop the messages of audio that end at or before byte `at`."""
        count = 0
        for index, item in enumerate(self._items):
            if isinstance(item, Request):
                continue
            if item.end > at:
                self._start = max(self._start, item.at)
                break
            count = index + 1
            self._start = item.end
        # Requests between the audio that goes stay where they are: in front of the audio that stays.
        requests = [item for item in self._items[:count] if isinstance(item, Request)]
        sent = sum(isinstance(item, Request) for item in self._items[: min(count, self._next)])
        self._next = sent + max(0, self._next - count)
        self._items[:count] = requests

    def _remove(self, index: int, count: int) -> None:
        del self._items[index : index + count]
        self._next -= max(0, min(count, self._next - index))
