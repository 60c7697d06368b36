"""Calls that block, in threads that do not keep the program from ending: a pipe may stay silent for ever."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    """Run a function in a thread of its own. If this is cancelled, its result is dropped."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(set_outcome: Callable[[Any], None], outcome: Any) -> None:
        if not future.done():
            set_outcome(outcome)

    def run() -> None:
        try:
            set_outcome, outcome = future.set_result, work()
        except BaseException as error:
            set_outcome, outcome = future.set_exception, error  # type: ignore[assignment]
        try:
            loop.call_soon_threadsafe(settle, set_outcome, outcome)
        except RuntimeError:
            # The loop has ended.
            return

    threading.Thread(target=run, name="streamer-client-read", daemon=True).start()
    return await future
