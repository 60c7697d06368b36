"""A bounded queue of events between the connection and the reader of the events."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Deque, Generic, Optional, Tuple, TypeVar

#: Most unread events, and most bytes of their texts and sound. Past either nothing more is read from the network, so
#: that the server stops, too, and ends the stream with `slow_reader` if that lasts.
MAX_QUEUED_EVENTS = 65_536
MAX_QUEUED_BYTES = 64 * 1024 * 1024

Item = TypeVar("Item")


class EventQueue(Generic[Item]):
    def __init__(self, max_events: int = MAX_QUEUED_EVENTS, max_bytes: int = MAX_QUEUED_BYTES) -> None:
        self._limits = (max_events, max_bytes)
        self._items: Deque[Tuple[Item, int]] = deque()
        self._bytes = 0
        self._has_changed = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._ended = False
        self._failure: Optional[BaseException] = None
        #: Set while the network waits for a reader.
        self.is_stalled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def push(self, item: Item, size: int) -> None:
        self._items.append((item, size))
        self._bytes += size
        if self._is_full:
            self._has_room.clear()
        self._has_changed.set()

    def end(self, failure: Optional[BaseException]) -> None:
        """Note that nothing follows. After the items that are there, `pop` raises the failure once."""
        if not self._ended:
            self._ended = True
            self._failure = failure
            self._has_changed.set()

    async def room(self) -> None:
        """Wait until there is room for an item."""
        if self._has_room.is_set():
            return
        self.is_stalled.set()
        try:
            await self._has_room.wait()
        finally:
            self.is_stalled.clear()

    async def ready(self) -> None:
        """Wait until `pop` can be called: there is an item, or the end."""
        while not self._items and not self._ended:
            self._has_changed.clear()
            await self._has_changed.wait()

    def pop(self) -> Optional[Item]:
        """Return the next item; None: there is none, and none comes any more. Raise the failure at its place, once."""
        if self._items:
            item, size = self._items.popleft()
            self._bytes -= size
            if not self._is_full:
                self._has_room.set()
            return item
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return None

    @property
    def _is_full(self) -> bool:
        events, size = self._limits
        return len(self._items) >= events or self._bytes >= size


async def first_of(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
