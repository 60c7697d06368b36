"""A thread with an event loop, in which the blocking interface runs that for asyncio."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import Any, Coroutine, List, Set, TypeVar

from .errors import StreamEnded

#: Longest time for an interrupted call, or for the thread, to end, in seconds.
JOIN_SECONDS = 5.0

Result = TypeVar("Result")


class Portal:
    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_open = True
        #: Outcomes of the calls that are under way.
        self._calls: Set[concurrent.futures.Future[Any]] = set()
        self._thread = threading.Thread(target=self._main, name="streamer-client", daemon=True)
        self._thread.start()

    @property
    def is_open(self) -> bool:
        return self._is_open

    def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine in the thread, and wait for it. An interrupt of the wait, such as Ctrl-C, cancels it."""
        outcome: concurrent.futures.Future[Result] = concurrent.futures.Future()
        tasks: List[asyncio.Task[Result]] = []

        def settle(task: asyncio.Task[Result]) -> None:
            with self._lock:
                self._calls.discard(outcome)
            if outcome.done():
                return
            error = _closed() if task.cancelled() else task.exception()
            if error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(task.result())

        def begin() -> None:
            tasks.append(self._loop.create_task(work))
            tasks[0].add_done_callback(settle)

        with self._lock:
            if not self._is_open:
                work.close()
                raise _closed()
            self._calls.add(outcome)
            self._loop.call_soon_threadsafe(begin)
        try:
            return outcome.result()
        except BaseException:
            if not outcome.done():
                self._interrupt(tasks, outcome)
            raise

    def stop(self) -> None:
        """End the thread. What waits in it is cancelled."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.current_thread() is not self._thread:
            self._thread.join(JOIN_SECONDS)

    def _interrupt(self, tasks: List[asyncio.Task[Any]], outcome: concurrent.futures.Future[Any]) -> None:
        def cancel() -> None:
            for task in tasks:
                task.cancel()

        with self._lock:
            if self._is_open:
                self._loop.call_soon_threadsafe(cancel)
        concurrent.futures.wait([outcome], JOIN_SECONDS)

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()
            for outcome in list(self._calls):
                if not outcome.done():
                    outcome.set_exception(_closed())


def _closed() -> StreamEnded:
    return StreamEnded("the stream is closed")
