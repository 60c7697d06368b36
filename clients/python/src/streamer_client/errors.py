"""Exceptions. All are StreamerError, and have a `code` for programs and a message for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Sequence, Tuple

if TYPE_CHECKING:
    from .events import ErrorEvent, Stopped


class StreamerError(Exception):
    """The base of all exceptions of this library."""

    code: str = "error"

    @property
    def message(self) -> str:
        return str(self)


class ConnectError(StreamerError):
    """Nothing listens, the handshake of TLS failed, or the server refused the connection.

    `status` is the HTTP status of a refusal, and `event` the error that the server gave as the reason.
    """

    code = "cannot_connect"

    def __init__(self, message: str, status: Optional[int] = None, event: Optional[ErrorEvent] = None) -> None:
        super().__init__(message)
        self.status = status
        self.event = event


class ConnectionLost(StreamerError):
    """The connection ended within a stream that could not go on elsewhere, or is used after its end.

    `close_code` and `close_reason` are those of the server, if it has closed the connection, and `event` the fatal
    error before that.
    """

    code = "closed"

    def __init__(
        self,
        message: str,
        close_code: Optional[int] = None,
        close_reason: Optional[str] = None,
        event: Optional[ErrorEvent] = None,
    ) -> None:
        super().__init__(message)
        self.close_code = close_code
        self.close_reason = close_reason
        self.event = event


class ProtocolFault(StreamerError):
    """The server sent a message that the protocol does not allow."""

    code = "protocol"


class NotRead(StreamerError):
    """Events were not read for so long that nothing more can be received."""

    code = "not_read"


class StreamTimeout(StreamerError, TimeoutError):
    """The server did not respond in time."""

    code = "timeout"

    def __str__(self) -> str:
        return str(self.args[0])


class StartRefused(StreamerError):
    """The server refused a `start`. `event` has the reason, and `param` the field that is wrong."""

    def __init__(self, event: ErrorEvent) -> None:
        super().__init__(event)
        self.event = event
        self.code = event.code
        self.param = event.param
        self.retryable = event.retryable
        self.retry_after_ms = event.retry_after_ms

    def __str__(self) -> str:
        return f"{self.event.code}: {self.event.message}"


class StreamEnded(StreamerError):
    """The stream has ended: by you, or by the server, with the `event` of the error and `stopped` that it has sent."""

    code = "ended"

    def __init__(self, message: str, stopped: Optional[Stopped] = None, event: Optional[ErrorEvent] = None) -> None:
        super().__init__(message)
        self.stopped = stopped
        self.event = event


class LedgerError(StreamerError):
    """The account of the server is not that of the client. `problems` has a sentence for each difference."""

    code = "ledger"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(problems)
        self.problems: Tuple[str, ...] = tuple(problems)

    def __str__(self) -> str:
        return "the ledger does not add up: " + "; ".join(self.problems)


class AudioFileError(StreamerError, ValueError):
    """A file cannot be read as audio. The message says what to do."""

    code = "audio_file"


class MicrophoneError(StreamerError):
    """There is no microphone, or `sounddevice` is not installed."""

    code = "microphone"
