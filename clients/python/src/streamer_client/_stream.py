"""Streams for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, AsyncIterator, Dict, Generator, List, Optional

from ._link import Link
from ._options import ConnectOptions, split_fields, start_body, stream_url
from ._resumable import ResumableStream
from .errors import LedgerError, StreamTimeout
from .events import Event, Started, Stopped
from .formats import AudioFormat, Buffer, FormatLike, audio_bytes

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self, Unpack

    from ._options import ConnectFields, StartFields

#: Audio is sent in messages of at most so many bytes, less if the server takes less.
MESSAGE_BYTES = 256 * 1024


def connect(url: str, format: FormatLike, **fields: Unpack[ConnectFields]) -> Connecting:
    """Connect to a server, and start a stream: `async with connect(…) as stream`, or `stream = await connect(…)`.

    `url` is HOST:PORT or a URL with http, https, ws or wss. Without a path, `pattern` selects simple, stateful or
    segmented (the default). `format` describes the audio. Other names are the fields of a `start`, such as
    `interim_results=True`, or options of the connection:

    - token: a token, or a function that returns one; it is sent as a header
    - ssl, ca_file: an ssl.SSLContext, or a file with the authorities to trust
    - headers: further headers of the request
    - proxy: True (the settings of the system), None (no proxy), or the URL of one
    - open_timeout (10 s): to connect, and to start the stream
    - timeout (60 s): without any sign of life of the server
    - close_timeout (2 s): for the server to answer the close of the connection
    - resume_timeout (60 s): to go on with the stream elsewhere after its connection is lost; 0: never
    - on_resume: is called with "lost" or "resumed", and the cause
    - check_ledger (True): raise LedgerError at the end of a stream whose ledger does not add up
    - max_buffered_bytes (1 MiB), max_kept_bytes (64 MiB), max_queued_events (65,536), max_queued_bytes (64 MiB)

    Raises ConnectError, StreamTimeout, StartRefused, or ConnectionLost.
    """
    options, start = split_fields(fields)
    return Connecting(stream_url(url, options.pattern), options, start_body(format, start))


class Connecting:
    """What `connect` returns: a stream to be, for `await` or `async with`."""

    def __init__(self, url: str, options: ConnectOptions, body: Dict[str, Any]) -> None:
        self._url = url
        self._options = options
        self._body = body
        self._stream: Optional[Stream] = None

    def __await__(self) -> Generator[Any, None, Stream]:
        return self._open().__await__()

    async def __aenter__(self) -> Stream:
        self._stream = await self._open()
        return self._stream

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._stream is not None:
            await self._stream.close()

    async def _open(self) -> Stream:
        link = Link(self._url, self._options)
        try:
            await link.open()
            await link.start(self._body)
        except BaseException:
            await link.close()
            raise
        return Stream(link, self._options)


class Stream:
    """A stream of audio to a server. Created by `connect`.

    Iterate over it for the events, while another task sends. The events end after `stopped`; then `start` may begin
    another stream on the same connection. Use it in `async with`, which closes the connection.
    """

    def __init__(self, link: Link, options: ConnectOptions) -> None:
        self._link = link
        self._options = options
        #: The stream whose `stopped` was read last: its ledger is to be checked.
        self._finished: Optional[ResumableStream] = None
        self._reading = False

    @property
    def started(self) -> Started:
        """The settings in force: the reply to the last start."""
        started = self._link.stream.started
        assert started is not None
        return started

    @property
    def stopped(self) -> Optional[Stopped]:
        """The end of the stream with its ledger; None: it has not come."""
        return self._link.stream.stopped

    @property
    def format(self) -> AudioFormat:
        return self.started.format

    @property
    def sent_bytes(self) -> int:
        """Bytes of audio sent since the last start, each counted once."""
        return self._link.stream.sent_bytes

    @property
    def resumptions(self) -> int:
        """How often the stream went on at another connection."""
        return self._link.stream.resumptions

    @property
    def is_open(self) -> bool:
        """False once the connection has ended for good."""
        return self._link.ended is None

    async def start(self, format: FormatLike, **fields: Unpack[StartFields]) -> Started:
        """Start the next stream. The server first ends one that is still open. Raises StartRefused."""
        return await self._link.start(start_body(format, fields))

    async def send(self, audio: Buffer) -> None:
        """Send audio: bytes, or an array of samples in the format of the stream.

        Waits while too much is buffered, and while a lost connection is replaced. If this is cancelled, `sent_bytes`
        counts what was taken. Raises StreamEnded when the server has ended the stream, TypeError for samples of
        another kind, or the error with which the connection has ended.
        """
        data = audio_bytes(audio, self.format)
        size = max(1, min(MESSAGE_BYTES, self.started.limits.max_message_bytes))
        await self._link.audio([data[at : at + size] for at in range(0, len(data), size)])

    async def flush(self) -> None:
        """End the current utterance or block now. A `flushed` follows for every channel."""
        await self._link.request("flush")

    async def stop(self, disconnect: bool = False) -> None:
        """End the stream: the remaining results and `stopped` follow. With `disconnect` the server then disconnects."""
        await self._link.request("stop", **({"disconnect": True} if disconnect else {}))

    async def keep_alive(self) -> None:
        """Restart the idle time-out of the server."""
        await self._link.request("keep_alive", is_kept=False)

    async def receive(self, timeout: Optional[float] = None) -> Optional[Event]:
        """Return the next event; None after the end of the stream.

        Raises StreamTimeout if none comes within `timeout` seconds, LedgerError after a `stopped` that does not add
        up, or the error with which the connection has ended. Events are for one reader at a time.
        """
        if self._reading:
            raise RuntimeError("the events are already being read")
        self._reading = True
        try:
            if self._check_finished():
                return None
            if timeout is None:
                await self._link.queue.ready()
            else:
                await self._within(timeout)
            received = self._link.queue.pop()
        finally:
            self._reading = False
        if received is None:
            return None
        event, stream = received
        if isinstance(event, Stopped):
            self._finished = stream
        return event

    async def close(self) -> None:
        """Close the connection. Results that have not arrived are lost."""
        await self._link.close()

    def abort(self, error: BaseException) -> None:
        """End the connection at once: the events end by raising `error`, and so do requests."""
        self._link.abort(error)

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        event = await self.receive()
        if event is None:
            raise StopAsyncIteration
        return event

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        await self.close()

    def _check_finished(self) -> bool:
        """Check the ledger of a stream that has ended. Return whether no other one has begun."""
        finished = self._finished
        if finished is None:
            return False
        problems: List[str] = finished.problems() if self._options.check_ledger else []
        if problems and not finished.is_checked:
            finished.is_checked = True
            raise LedgerError(problems)
        is_over = finished is self._link.stream and not self._link.is_pending
        if not is_over:
            self._finished = None
        return is_over

    async def _within(self, timeout: float) -> None:
        waiting = asyncio.ensure_future(self._link.queue.ready())
        try:
            done, _ = await asyncio.wait([waiting], timeout=timeout)
        finally:
            waiting.cancel()
        if not done:
            raise StreamTimeout(f"no event came within {timeout} s")
