"""Replaces a lost connection."""

from __future__ import annotations

import asyncio
import random
from typing import Awaitable, Callable, TypeVar

from .errors import ConnectError, ConnectionLost, StartRefused, StreamerError

#: Longest wait before the first attempt, and between two attempts, in seconds. Waits double, and are shortened by
#: chance, so that the clients of a server that has died do not come back all at once.
FIRST_WAIT = 0.2
LONGEST_WAIT = 5.0

Result = TypeVar("Result")


async def recover(
    cause: StreamerError,
    attempt: Callable[[], Awaitable[Result]],
    give_up: float,
    limit: float,
    chance: Callable[[], float] = random.random,
) -> Result:
    """Make attempts until one succeeds.

    Raises ConnectionLost when a server refuses for good, and at the loop time `give_up`, after `limit` seconds. Other
    failures, such as of a function that gives tokens, may pass.
    """
    clock = asyncio.get_running_loop().time
    longest, least = FIRST_WAIT, 0.0
    last: Exception = cause
    while True:
        wait = max(least, longest * (0.25 + 0.75 * chance()))
        longest = min(LONGEST_WAIT, longest * 2)
        await asyncio.sleep(min(wait, max(0.0, give_up - clock())))
        left = give_up - clock()
        if left <= 0:
            reason = "" if last is cause else f"; the last attempt: {last}"
            raise _failed(cause, f"no server took it within {limit:g} s{reason}")
        try:
            return await asyncio.wait_for(attempt(), left)
        except StartRefused as refusal:
            if not refusal.retryable:
                raise _failed(cause, str(refusal)) from None
            last, least = refusal, (refusal.retry_after_ms or 0) / 1000
        except ConnectError as error:
            if error.event is not None and not error.event.retryable:
                raise _failed(cause, str(error)) from None
            last, least = error, (error.event.retry_after_ms or 0) / 1000 if error.event is not None else 0.0
        except asyncio.TimeoutError:
            least = 0.0
        except Exception as error:
            last, least = error, 0.0


def _failed(cause: StreamerError, why: str) -> ConnectionLost:
    code, reason = getattr(cause, "close_code", None), getattr(cause, "close_reason", None)
    return ConnectionLost(f"{cause}; the stream could not be resumed: {why}", code, reason)
