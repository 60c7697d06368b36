"""One WebSocket: messages are assembled to events, its peer is watched, and it ends once."""

from __future__ import annotations

import asyncio
import json
import platform
import ssl
from dataclasses import replace
from typing import Any, Callable, Dict, Optional, Tuple

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websockets_connect
from websockets.exceptions import ConcurrencyError, ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from ._decode import EventError
from ._options import ConnectOptions, printable_url
from ._parse import parse_event
from ._version import __version__
from .errors import ConnectError, ConnectionLost, NotRead, ProtocolFault, StreamerError, StreamTimeout
from .events import Data, ErrorEvent, Event, Segment

SUBPROTOCOL = Subprotocol("streamer.v1")
#: The largest message that is taken from a server.
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
#: How often the peer is looked at and pinged at most, and parts of the longest wait, in seconds.
PING_SECONDS = 1.0
PINGS_PER_WAIT = 4
#: Close codes: for a server that breaks the protocol; and those that the WebSocket itself sends for it.
PROTOCOL_CLOSE = 3002
_FAULTS = (1002, 1007, 1009)


class _Connection(ClientConnection):
    #: Bytes of any kind, pings among them: each is a sign of life.
    life = 0

    def data_received(self, data: bytes) -> None:
        self.life += len(data)
        super().data_received(data)


class _Connect(websockets_connect):
    def process_redirect(self, exc: Exception) -> Exception:
        """Do not follow: a token is for the server that was named."""
        return exc


async def open_wire(url: str, options: ConnectOptions, is_stalled: Callable[[], bool]) -> Wire:
    """Connect. Raises ConnectError or StreamTimeout."""
    name = printable_url(url)
    try:
        context = options.ssl_context(url)
        more: Dict[str, Any] = {} if context is None else {"ssl": context}
        connection = await _Connect(
            url,
            subprotocols=[SUBPROTOCOL],
            compression=None,
            additional_headers=options.all_headers(),
            user_agent_header=f"streamer-client/{__version__} Python/{platform.python_version()}",
            proxy=True if options.proxy is True else options.proxy or None,
            open_timeout=options.open_timeout,
            ping_interval=None,
            close_timeout=options.close_timeout,
            max_size=MAX_MESSAGE_BYTES,
            write_limit=options.max_buffered_bytes,
            create_connection=_Connection,
            **more,
        )
    except InvalidStatus as error:
        raise _refused(name, error) from None
    except (asyncio.TimeoutError, TimeoutError):
        raise StreamTimeout(f"the server at {name} did not answer within {options.open_timeout} s") from None
    except ssl.SSLCertVerificationError as error:
        why = f"the certificate of the server is not accepted: {error.verify_message}"
        raise ConnectError(f"cannot connect to {name}: {why}") from error
    except (OSError, InvalidHandshake, EOFError) as error:
        raise ConnectError(f"cannot connect to {name}: {error}") from error
    except InvalidURI:
        raise ValueError(f"url: {name} is not the address of a WebSocket") from None
    assert isinstance(connection, _Connection)
    return Wire(connection, options, is_stalled)


def _refused(name: str, error: InvalidStatus) -> ConnectError:
    status, body = error.response.status_code, error.response.body
    try:
        event = parse_event(json.loads(bytes(body or b"")))
    except ValueError:
        return ConnectError(f"cannot connect to {name}: the server answered with HTTP status {status}", status)
    if not isinstance(event, ErrorEvent):
        return ConnectError(f"cannot connect to {name}: the server answered with HTTP status {status}", status)
    reason = f"{event.code}: {event.message} (HTTP {status})"
    return ConnectError(f"cannot connect to {name}: {reason}", status, event)


class Wire:
    def __init__(self, connection: _Connection, options: ConnectOptions, is_stalled: Callable[[], bool]) -> None:
        self._connection = connection
        self._options = options
        self._is_stalled = is_stalled
        #: Why this side has ended the connection.
        self._fault: Optional[StreamerError] = None
        #: An event whose sound has not arrived yet.
        self._awaited: Optional[Tuple[Any, int]] = None
        self._written = 0
        self._watching = asyncio.get_running_loop().create_task(self._watch())

    @property
    def buffered_bytes(self) -> int:
        """Bytes that the network has not taken yet."""
        return self._connection.transport.get_write_buffer_size()

    async def send(self, data: Any) -> None:
        """Send a message, and wait while too much is buffered. Raises the error with which the connection ends."""
        try:
            self._written += len(data)
            await self._connection.send(data)
        except ConnectionClosed as error:
            raise self._ended(error) from None

    async def receive(self) -> Tuple[Event, int]:
        """Return the next event and its size. Raises ConnectionLost, StreamTimeout, NotRead or ProtocolFault."""
        while True:
            try:
                message = await self._connection.recv()
            except ConnectionClosed as error:
                raise self._ended(error) from None
            try:
                received = self._read(message)
            except (ValueError, RecursionError) as error:
                fault = ProtocolFault(f"the server broke the protocol: {error}")
                self._fault = fault
                await self.close(PROTOCOL_CLOSE, "protocol")
                raise fault from None
            if received is not None:
                return received

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, and wait for the server, which may be frozen, for a limited time."""
        self._watching.cancel()
        # The answer may be behind messages that nobody reads.
        dropping = asyncio.ensure_future(self._drop_messages())
        try:
            await asyncio.wait_for(self._connection.close(code, reason), self._options.close_timeout)
        except asyncio.TimeoutError:
            pass
        finally:
            dropping.cancel()
            self._connection.transport.abort()

    def abort(self, fault: Optional[StreamerError] = None) -> None:
        """End the connection at once; `receive` and `send` raise the fault."""
        self._fault = self._fault or fault
        self._watching.cancel()
        self._connection.transport.abort()

    async def _drop_messages(self) -> None:
        try:
            while True:
                await self._connection.recv()
        except (ConnectionClosed, ConcurrencyError):
            # It is closed, or somebody reads after all.
            return

    def _read(self, message: Any) -> Optional[Tuple[Event, int]]:
        if isinstance(message, str):
            if self._awaited is not None:
                raise EventError("a text message in place of the sound that an event announced")
            event = parse_event(json.loads(message))
            audio = event.audio if isinstance(event, (Segment, Data)) else None
            if audio is None:
                return event, len(message)
            if audio.bytes % 4 != 0:
                raise EventError(f"{audio.bytes} bytes of audio are not whole samples")
            self._awaited = (event, len(message))
            return None
        if self._awaited is None or len(message) != self._awaited[0].audio.bytes:
            raise EventError("a binary message that no event announced")
        (event, size), self._awaited = self._awaited, None
        return replace(event, audio=replace(event.audio, data=memoryview(message))), size + len(message)

    def _ended(self, closed: ConnectionClosed) -> StreamerError:
        self._watching.cancel()
        if self._fault is not None:
            return self._fault
        given, own = closed.rcvd, closed.sent
        if given is None and own is not None and own.code in _FAULTS:
            return ProtocolFault(f"the server broke the protocol: {own.reason or own.code}")
        if given is None:
            return ConnectionLost("the connection was lost")
        reason = f": {given.reason}" if given.reason else ""
        return ConnectionLost(f"the connection was closed ({given.code}{reason})", given.code, given.reason)

    async def _watch(self) -> None:
        """End the connection when the server gives no sign of life.

        A server that cannot take more audio answers no ping, but pings by itself. Time in which this process is frozen
        is not counted.
        """
        limit = self._options.timeout
        if limit is None:
            return None
        tick = min(PING_SECONDS, limit / PINGS_PER_WAIT)
        clock = asyncio.get_running_loop().time
        last, silent, unread, life, taken = clock(), 0.0, 0.0, 0, 0
        pong: Optional[asyncio.Future[float]] = None
        while True:
            await asyncio.sleep(tick)
            now = clock()
            elapsed, last = min(now - last, 2 * tick), now
            buffered = self.buffered_bytes
            is_alive = self._connection.life > life or (buffered > 0 and self._written - buffered > taken)
            life, taken = self._connection.life, max(taken, self._written - buffered)
            unread = unread + elapsed if self._is_stalled() else 0.0
            silent = 0.0 if is_alive or unread > 0 else silent + elapsed
            if silent >= limit:
                return self.abort(StreamTimeout(f"the server sent nothing and answered no ping within {limit} s"))
            if unread >= limit:
                return self.abort(NotRead(f"too many unread events: nothing was read for {limit} s"))
            if buffered == 0 and (pong is None or pong.done()):
                try:
                    pong = asyncio.ensure_future(await self._connection.ping())
                except ConnectionClosed:
                    return None
