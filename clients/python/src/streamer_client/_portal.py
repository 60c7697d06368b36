"""A thread with an event loop, in which the blocking interface runs that for asyncio.

Ctrl-C raises KeyboardInterrupt between any two steps of the main thread. So it takes few of them, holds no lock, and is
never the last that refers to a task, whose end would swallow the exception.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from functools import partial
from typing import Any, Awaitable, Callable, Deque, Generic, Optional, Tuple, TypeVar

from .errors import StreamEnded

#: Longest time for an interrupted call, or for the thread, to end, in seconds.
JOIN_SECONDS = 5.0

Result = TypeVar("Result")


class _Call(Generic[Result]):
    """A call of a coroutine function. `running` is locked until it has ended."""

    def __init__(self, function: Callable[..., Awaitable[Result]], args: Tuple[Any, ...]) -> None:
        self.function = function
        self.args = args
        self.running = threading.Lock()
        self.running.acquire()
        self.task: Optional[asyncio.Future[Any]] = None
        self.is_cancelled = False
        self._error: Optional[BaseException] = None
        self._result: Any = None

    async def run(self) -> None:
        try:
            self._result = await self.function(*self.args)
        except asyncio.CancelledError:
            self._error = _closed()
        except BaseException as error:
            self._error = error

    def end(self, error: Optional[BaseException] = None) -> None:
        self._error = self._error or error
        self.task = None
        self.running.release()

    def result(self) -> Result:
        if self._error is not None:
            raise self._error
        result: Result = self._result
        return result


class Portal:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        #: Calls that have not begun.
        self._calls: Deque[_Call[Any]] = deque()
        self._is_open = True
        self._thread = threading.Thread(target=self._main, name="streamer-client", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        return self._is_open

    def call(self, function: Callable[..., Awaitable[Result]], *args: Any) -> Result:
        """Run a coroutine function in the thread, and wait for it. An interrupt, such as Ctrl-C, cancels it.

        Raises StreamEnded when the thread ends, or has ended.
        """
        call = _Call(function, args)
        try:
            self._calls.append(call)
            try:
                self._loop.call_soon_threadsafe(self._begin)
            except RuntimeError:
                raise _closed() from None
            call.running.acquire()
        except BaseException:
            self._cancel(call)
            raise
        return call.result()

    def stop(self) -> None:
        """End the thread. What waits in it is cancelled."""
        try:
            self._loop.call_soon_threadsafe(self._loop.stop)
        except RuntimeError:
            return
        if threading.current_thread() is not self._thread:
            self._thread.join(JOIN_SECONDS)

    def _begin(self) -> None:
        """Begin the calls that have not begun, in the thread. An interrupted one may be among them."""
        while self._calls:
            call = self._calls.popleft()
            if call.is_cancelled or not self._is_open:
                call.end(_closed())
            else:
                call.task = asyncio.ensure_future(call.run(), loop=self._loop)
                call.task.add_done_callback(partial(_ended, call))

    def _cancel(self, call: _Call[Any]) -> None:
        """Cancel a call, and wait until it has ended."""
        call.is_cancelled = True

        def cancel() -> None:
            if call.task is not None:
                call.task.cancel()

        try:
            self._loop.call_soon_threadsafe(cancel)
        except RuntimeError:
            return
        call.running.acquire(timeout=JOIN_SECONDS)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._is_open = False
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()
            # From now on none is added: a loop that is closed takes no callback.
            while self._calls:
                self._calls.popleft().end(_closed())


def _ended(call: _Call[Any], _task: asyncio.Future[Any]) -> None:
    call.end()


def _closed() -> StreamEnded:
    return StreamEnded("the stream is closed")
