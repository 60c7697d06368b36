"""The way to the server: one connection or, if the server can resume streams, one after the other."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Dict, List, Optional, Set, Tuple

from ._kept import Audio, Request
from ._options import ConnectOptions
from ._queue import EventQueue, first_of
from ._recovery import recover
from ._replies import is_reply
from ._resumable import ResumableStream
from ._wire import Wire, open_wire
from .errors import ConnectionLost, NotRead, StartRefused, StreamerError, StreamTimeout
from .events import ErrorEvent, Event, Started

Received = Tuple[Event, ResumableStream]


class Link:
    """Sends over the present connection, and receives from it in a task of its own."""

    def __init__(self, url: str, options: ConnectOptions) -> None:
        self._url = url
        self._options = options
        self.queue: EventQueue[Received] = EventQueue(options.max_queued_events, options.max_queued_bytes)
        self.stream = ResumableStream(False, 0)
        self._body: Dict[str, Any] = {}
        self._wire: Optional[Wire] = None
        self._tasks: Set[asyncio.Task[None]] = set()
        #: The stream whose start has no reply yet, and the reply.
        self._pending: Optional[Tuple[ResumableStream, asyncio.Future[Started]]] = None
        #: One message at a time, in order.
        self._sending = asyncio.Lock()
        #: Cleared while a lost connection is replaced.
        self._ready = asyncio.Event()
        self._ready.set()
        #: Loop time at which the recovery that is under way is given up.
        self._give_up: Optional[float] = None
        self._closing = False
        self.ended: Optional[BaseException] = None

    @property
    def is_pending(self) -> bool:
        return self._pending is not None

    async def open(self) -> None:
        self._wire = await open_wire(self._url, self._options, self.queue.is_stalled.is_set)
        self._spawn(self._run(self._wire))

    async def start(self, body: Dict[str, Any]) -> Started:
        """Send a start, and return the reply. Raises StartRefused, or the error with which the connection ends."""
        async with self._sending:
            await self._until_ready()
            stream = ResumableStream(self._options.resume_timeout > 0, self._options.max_kept_bytes)
            reply: asyncio.Future[Started] = asyncio.get_running_loop().create_future()
            # The results of a stream that is still open come first, and take their time.
            limit = None if self._is_streaming else self._options.open_timeout
            self._pending = (stream, reply)
            self._body = body
            try:
                await self._write(json.dumps(body))
                return await asyncio.wait_for(reply, limit)
            except asyncio.TimeoutError:
                error = StreamTimeout(f"the server did not start the stream within {limit} s")
                self.abort(error)
                raise error from None
            finally:
                self._pending = None
                # Its failure may have come while nobody waits any more.
                if not reply.cancel() and not reply.cancelled():
                    reply.exception()

    async def audio(self, parts: List[bytes]) -> None:
        for part in parts:
            async with self._sending:
                await self._until_ready()
                self.stream.check_open()
                item = self.stream.audio(part)
                await self._write(item.data if isinstance(item, Audio) else item.text)

    async def request(self, name: str, is_kept: bool = True, **fields: Any) -> None:
        async with self._sending:
            await self._until_ready()
            text = json.dumps({"request": name, **fields})
            if is_kept:
                self.stream.check_open()
                self.stream.request(Request(name, text))
                self.stream.has_sent_stop = name == "stop"
            await self._write(text)

    async def close(self) -> None:
        self._closing = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._end(ConnectionLost("the connection was closed by this client"), None)
        if self._wire is not None:
            await self._wire.close()

    def abort(self, error: BaseException) -> None:
        """End the connection, and do not wait for the server: the events end with the error, and so do requests."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        self._end(error, error)
        if self._wire is not None:
            self._wire.abort()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_ready(self) -> None:
        """Wait while a connection is replaced. Raises the error with which the link has ended."""
        if not self._ready.is_set():
            await first_of(self._ready, self.queue.is_stalled)
            if not self._ready.is_set():
                raise NotRead("too many unread events: the connection is lost, and they have to be read first")
        if self.ended is not None:
            raise self.ended

    async def _write(self, data: Any) -> None:
        """Send what has been added to the stream. If the connection is lost, it is sent again over the next one."""
        assert self._wire is not None
        try:
            await self._wire.send(data)
        except StreamerError:
            # The task that receives finds out whether there is another connection.
            if self.ended is None:
                self._ready.clear()
            await self._until_ready()

    async def _run(self, wire: Wire) -> None:
        try:
            while True:
                error = await self._receive_all(wire)
                if not self._is_resumed_after(error):
                    return self._end(
                        error, error if self._is_streaming or not isinstance(error, ConnectionLost) else None
                    )
                wire = await self._recover(error)
        except asyncio.CancelledError:
            # Also when a loop ends in which the stream was not closed.
            if self._wire is not None and not self._closing:
                self._wire.abort()
            raise
        except StreamerError as error:
            self._end(error, error)
        except Exception as error:
            # A fault of this library, or of a function that gives tokens: no wait may last for ever.
            self.abort(error)
        return None

    async def _receive_all(self, wire: Wire) -> StreamerError:
        """Receive until the connection ends. Return why."""
        while True:
            try:
                event, size = await wire.receive()
            except StreamerError as error:
                return error
            await self.queue.room()
            self._take(event, size)

    def _take(self, event: Event, size: int) -> None:
        stream = self.stream
        if self._pending is not None:
            following, reply = self._pending
            if is_reply(event) and not reply.done():
                if isinstance(event, ErrorEvent):
                    return reply.set_exception(StartRefused(event))
                assert isinstance(event, Started)
                stream = self.stream = following
                reply.set_result(event)
        if stream.accept(event):
            self.queue.push((event, stream), size)
        return None

    @property
    def _is_streaming(self) -> bool:
        return self.stream.started is not None and self.stream.stopped is None

    def _is_resumed_after(self, error: StreamerError) -> bool:
        is_lost = isinstance(error, (ConnectionLost, StreamTimeout))
        return is_lost and self._pending is None and not self._closing and self.stream.can_resume

    async def _recover(self, cause: StreamerError) -> Wire:
        """Replace a lost connection. Raises ConnectionLost when no server takes the stream in time, or one refuses."""
        self._ready.clear()
        if self._give_up is None:
            self._give_up = asyncio.get_running_loop().time() + self._options.resume_timeout
            self._report("lost", cause)
        limit = self._options.resume_timeout
        wire = self._wire = await recover(cause, self._attempt, self._give_up, limit)
        self._spawn(self._send_again(wire, cause))
        return wire

    async def _attempt(self) -> Wire:
        """Connect, and start the stream from its last checkpoint."""
        wire = await open_wire(self._url, self._options, self.queue.is_stalled.is_set)
        try:
            self.stream.rewind()
            await wire.send(json.dumps({**self._body, **self.stream.resume}))
            while True:
                event, size = await asyncio.wait_for(wire.receive(), self._options.open_timeout)
                if is_reply(event):
                    break
                self._take(event, size)
            if isinstance(event, ErrorEvent):
                raise StartRefused(event)
        except BaseException:
            wire.abort()
            raise
        self.stream.resumptions += 1
        self._take(event, size)
        return wire

    async def _send_again(self, wire: Wire, cause: StreamerError) -> None:
        try:
            while wire is self._wire:
                item = self.stream.take()
                if item is None:
                    break
                await wire.send(item.data if isinstance(item, Audio) else item.text)
        except StreamerError:
            # The connection was lost again, which the task that receives finds out.
            return
        if wire is self._wire:
            self._give_up = None
            self._ready.set()
            self._report("resumed", cause)

    def _report(self, state: str, cause: StreamerError) -> None:
        try:
            if self._options.on_resume is not None:
                self._options.on_resume(state, cause)
        except Exception as error:
            self.abort(error)

    def _end(self, closed: BaseException, failure: Optional[BaseException]) -> None:
        """End the link once. With a failure the events end by raising it."""
        if self.ended is not None:
            return
        if isinstance(closed, ConnectionLost) and closed.event is None:
            closed.event = self.stream.error
        self.ended = closed
        if self._pending is not None and not self._pending[1].done():
            self._pending[1].set_exception(closed)
        self.queue.end(failure)
        self._ready.set()
