"""The blocking interface: that for asyncio, in a thread with an event loop of its own.

Every method of a stream may be called from any thread; a usual division is one thread that sends and one that reads.
The events are for one reader at a time. `on_resume`, and a function that gives tokens, are called in the thread of the
event loop and must not block or call the stream.
"""

from __future__ import annotations

import warnings
import weakref
from functools import partial
from typing import TYPE_CHECKING, AsyncIterator, Callable, Iterator, Optional

from . import aio
from ._portal import Portal
from .events import Event, Started, Stopped
from .files import PathLike
from .formats import AudioFormat, Buffer, FormatLike
from .transcript import Transcript

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from ._options import ConnectFields, StartFields


def connect(url: str, format: FormatLike, **fields: Unpack[ConnectFields]) -> Stream:
    """Connect to a server, and start a stream.

    `url` is HOST:PORT or a URL with http, https, ws or wss. Without a path, `pattern` selects simple, stateful or
    segmented (the default). `format` describes the audio. Other names are the fields of a `start`, such as
    `interim_results=True`, or options of the connection: see `streamer_client.aio.connect`.

    Raises ConnectError, StreamTimeout, StartRefused, or ConnectionLost.
    """
    portal = Portal()
    try:
        return Stream(portal.call(partial(aio.connect, url, format, **fields)), portal)
    except BaseException:
        portal.stop()
        raise


class Stream:
    """A stream of audio to a server. Created by `connect`.

    Iterate over it for the events, while another thread sends; a short recording may be sent before. The events end
    after `stopped`; then `start` may begin another stream on the same connection. Use it in `with`, which closes the
    connection.
    """

    def __init__(self, stream: aio.Stream, portal: Portal) -> None:
        self._stream = stream
        self._portal = portal
        self._finalizer = weakref.finalize(self, portal.stop)

    @property
    def started(self) -> Started:
        """The settings in force: the reply to the last start."""
        return self._stream.started

    @property
    def stopped(self) -> Optional[Stopped]:
        """The end of the stream with its ledger; None: it has not come."""
        return self._stream.stopped

    @property
    def format(self) -> AudioFormat:
        return self._stream.format

    @property
    def sent_bytes(self) -> int:
        """Bytes of audio sent since the last start, each counted once."""
        return self._stream.sent_bytes

    @property
    def resumptions(self) -> int:
        """How often the stream went on at another connection."""
        return self._stream.resumptions

    @property
    def is_open(self) -> bool:
        """False once the connection has ended for good."""
        return self._portal.is_open and self._stream.is_open

    def start(self, format: FormatLike, **fields: Unpack[StartFields]) -> Started:
        """Start the next stream. The server first ends one that is still open. Raises StartRefused."""
        return self._portal.call(partial(self._stream.start, format, **fields))

    def send(self, audio: Buffer) -> None:
        """Send audio: bytes, or an array of samples in the format of the stream.

        Waits while too much is buffered, and while a lost connection is replaced. If this is interrupted, `sent_bytes`
        counts what was taken. Raises StreamEnded when the server has ended the stream, TypeError for samples of
        another kind, or the error with which the connection has ended.
        """
        self._portal.call(self._stream.send, audio)

    def flush(self) -> None:
        """End the current utterance or block now. A `flushed` follows for every channel."""
        self._portal.call(self._stream.flush)

    def stop(self, disconnect: bool = False) -> None:
        """End the stream: the remaining results and `stopped` follow. With `disconnect` the server then disconnects."""
        self._portal.call(self._stream.stop, disconnect)

    def keep_alive(self) -> None:
        """Restart the idle time-out of the server."""
        self._portal.call(self._stream.keep_alive)

    def receive(self, timeout: Optional[float] = None) -> Optional[Event]:
        """Return the next event; None after the end of the stream.

        Raises StreamTimeout if none comes within `timeout` seconds, LedgerError after a `stopped` that does not add
        up, or the error with which the connection has ended. Events are for one reader at a time.
        """
        return self._portal.call(self._stream.receive, timeout)

    def close(self) -> None:
        """Close the connection. Results that have not arrived are lost. Waiting calls of other threads end."""
        if self._finalizer.alive:
            try:
                self._portal.call(self._stream.close)
            finally:
                self._finalizer()

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self.receive()
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_finalizer", None) is not None and self._finalizer.alive:
            warnings.warn(
                f"unclosed {type(self).__name__} of streamer_client", ResourceWarning, stacklevel=2, source=self
            )


def stream_file(
    url: str,
    path: PathLike,
    *,
    raw: Optional[FormatLike] = None,
    real_time: bool = False,
    **fields: Unpack[ConnectFields],
) -> Iterator[Event]:
    """Send a recording, and return its events as they come: see `streamer_client.aio.stream_file`."""
    portal = Portal()
    events = aio.stream_file(url, path, raw=raw, real_time=real_time, **fields)
    try:
        while True:
            event = portal.call(_next, events)
            if event is None:
                return
            yield event
    finally:
        try:
            portal.call(events.aclose)
        finally:
            portal.stop()


def transcribe_file(
    url: str,
    path: PathLike,
    *,
    raw: Optional[FormatLike] = None,
    real_time: bool = False,
    on_event: Optional[Callable[[Event], object]] = None,
    **fields: Unpack[ConnectFields],
) -> Transcript:
    """Send a recording, and return its results. `on_event` gets each event as it comes, in another thread.

    `path` is a WAV file or, with `raw`, PCM in that format; "-" is standard input. `real_time` sends it at the speed of
    a microphone. Other names are those of `connect`.

    Raises as `connect` does; OSError and AudioFileError; LedgerError if the ledger does not add up; StreamEnded if the
    server has ended the stream early.
    """
    portal = Portal()
    try:
        return portal.call(
            partial(aio.transcribe_file, url, path, raw=raw, real_time=real_time, on_event=on_event, **fields)
        )
    finally:
        portal.stop()


async def _next(events: AsyncIterator[Event]) -> Optional[Event]:
    try:
        return await events.__anext__()
    except StopAsyncIteration:
        return None
