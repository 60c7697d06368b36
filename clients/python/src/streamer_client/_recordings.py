"""Sends recordings and microphones, and receives the results at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, AsyncGenerator, Callable, Optional

from ._stream import Stream, connect
from ._threads import in_thread
from .errors import StreamEnded
from .events import Event
from .files import PART_SECONDS, PathLike, Recording
from .formats import FormatLike
from .transcript import Collector, Transcript

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import ConnectFields

#: Bytes of a part of a file that is sent as fast as possible.
PART_BYTES = 64 * 1024


async def stream_file(
    url: str,
    path: PathLike,
    *,
    raw: Optional[FormatLike] = None,
    real_time: bool = False,
    **fields: Unpack[ConnectFields],
) -> AsyncGenerator[Event, None]:
    """Send a recording, and return its events as they come.

    `path` is a WAV file or, with `raw`, PCM in that format; "-" is standard input. `real_time` sends it at the speed of
    a microphone. Other names are those of `connect`. Leave a loop early within `contextlib.aclosing`.

    Raises as `connect` does; OSError and AudioFileError; LedgerError at the end.
    """
    with Recording(path, raw) as recording:
        async with connect(url, recording.format, **fields) as stream:
            sending = asyncio.ensure_future(send_recording(stream, recording, real_time))
            try:
                async for event in stream:
                    yield event
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)


async def transcribe_file(
    url: str,
    path: PathLike,
    *,
    raw: Optional[FormatLike] = None,
    real_time: bool = False,
    on_event: Optional[Callable[[Event], object]] = None,
    **fields: Unpack[ConnectFields],
) -> Transcript:
    """Send a recording, and return its results. `on_event` gets each event as it comes.

    Raises as `stream_file` does, and StreamEnded if the server has ended the stream early.
    """
    with Recording(path, raw) as recording:
        async with connect(url, recording.format, **fields) as stream:
            collector = Collector(stream.started)
            sending = asyncio.ensure_future(send_recording(stream, recording, real_time))
            try:
                async for event in stream:
                    collector.add(event)
                    if on_event is not None:
                        on_event(event)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            return finished(collector)


def finished(collector: Collector) -> Transcript:
    """Return the results of a stream. Raises StreamEnded if it has not ended by `stop`."""
    stopped, error = collector.stopped, collector.errors[-1] if collector.errors else None
    if stopped is None:
        raise StreamEnded("the stream has ended without `stopped`", None, error)
    if stopped.reason != "stop":
        why = f": {error.code}: {error.message}" if error is not None else ""
        raise StreamEnded(f"the server ended the stream early ({stopped.reason}){why}", stopped, error)
    return collector.transcript(stopped)


async def send_recording(stream: Stream, recording: Recording, real_time: bool) -> None:
    """Send what is left of a recording, and stop the stream. A failure ends the stream."""
    format = recording.format
    frames = max(1, int(format.sample_rate * PART_SECONDS))
    if not real_time:
        frames = max(frames, PART_BYTES // max(1, format.frame_bytes))
    clock = asyncio.get_running_loop().time
    due = clock()
    try:
        while True:
            part = await in_thread(lambda: recording.read(frames))
            if not part:
                break
            await stream.send(part)
            if real_time:
                due += len(part) / max(1, format.frame_bytes) / format.sample_rate
                await asyncio.sleep(max(0.0, due - clock()))
        await stream.stop()
    except StreamEnded:
        # The events say why.
        return
    except Exception as error:
        if stream.is_open:
            stream.abort(error)
