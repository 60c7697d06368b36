"""Addresses and options of a connection, and the fields of a start."""

from __future__ import annotations

import os
import re
import ssl as ssl_module
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, TypedDict, Union
from urllib.parse import urlsplit

from ._kept import MAX_KEPT_BYTES
from ._queue import MAX_QUEUED_BYTES, MAX_QUEUED_EVENTS
from .formats import AudioFormat, FormatLike

DEFAULT_PORT = 8080
#: `send` waits while the connection holds more unsent bytes than this.
MAX_BUFFERED_BYTES = 1024 * 1024
#: Longest time to connect and start, and without any sign of life of the server, in seconds.
OPEN_TIMEOUT = 10.0
TIMEOUT = 60.0
#: Longest time to go on with a stream after its connection is lost, and to close a connection, in seconds.
RESUME_TIMEOUT = 60.0
CLOSE_TIMEOUT = 2.0

PATTERNS = ("simple", "stateful", "segmented")
_SCHEMES = {"ws": "ws", "http": "ws", "wss": "wss", "https": "wss"}

#: A token, or a function that is asked for one at each connection. It must not block.
Token = Union[str, Callable[[], str]]
#: `lost`: the connection has ended, and another one is tried; `resumed`: the stream goes on.
ResumeListener = Callable[[str, Exception], object]


class VadSettings(TypedDict, total=False):
    """Settings of voice activity detection, in dB, dBFS and ms. Ranges are in the description of the protocol."""

    threshold_db: float
    floor_dbfs: float
    min_speech_ms: int
    min_silence_ms: int
    pre_roll_ms: int
    post_roll_ms: int
    max_utterance_ms: int


class StartFields(TypedDict, total=False):
    """The fields of a start but `format`. The server has defaults for all, and checks them."""

    interim_results: bool
    interim_interval_ms: int
    vad: VadSettings
    model: str
    options: Mapping[str, Any]
    flush_after_ms: int
    timing: bool
    trace_id: str
    tracestate: str


class ConnectFields(StartFields, total=False):
    """What `connect` takes beside the address and the format."""

    pattern: str
    token: Optional[Token]
    ssl: Optional[ssl_module.SSLContext]
    ca_file: Optional[Union[str, os.PathLike[str]]]
    headers: Mapping[str, str]
    proxy: Union[str, bool, None]
    open_timeout: Optional[float]
    timeout: Optional[float]
    close_timeout: float
    resume_timeout: float
    on_resume: Optional[ResumeListener]
    check_ledger: bool
    max_buffered_bytes: int
    max_kept_bytes: int
    max_queued_events: int
    max_queued_bytes: int


@dataclass(frozen=True)
class ConnectOptions:
    """Options of a connection. Times are in seconds; None: no limit."""

    pattern: str = "segmented"
    token: Optional[Token] = field(default=None, repr=False)
    ssl: Optional[ssl_module.SSLContext] = None
    ca_file: Optional[Union[str, os.PathLike[str]]] = None
    headers: Optional[Mapping[str, str]] = field(default=None, repr=False)
    proxy: Union[str, bool, None] = True
    open_timeout: Optional[float] = OPEN_TIMEOUT
    timeout: Optional[float] = TIMEOUT
    close_timeout: float = CLOSE_TIMEOUT
    resume_timeout: float = RESUME_TIMEOUT
    on_resume: Optional[ResumeListener] = None
    check_ledger: bool = True
    max_buffered_bytes: int = MAX_BUFFERED_BYTES
    max_kept_bytes: int = MAX_KEPT_BYTES
    max_queued_events: int = MAX_QUEUED_EVENTS
    max_queued_bytes: int = MAX_QUEUED_BYTES

    def __post_init__(self) -> None:
        if self.pattern not in PATTERNS:
            raise ValueError(f"pattern: found {self.pattern!r}; allowed: {', '.join(PATTERNS)}")
        if self.ssl is not None and self.ca_file is not None:
            raise ValueError("ssl and ca_file: give only one of them")
        for name in ("open_timeout", "timeout", "close_timeout"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}: found {value}; allowed: seconds above 0, or None for no limit")
        for name in ("max_buffered_bytes", "max_queued_events", "max_queued_bytes"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name}: found {getattr(self, name)}; allowed: 1 or more")
        if not self.resume_timeout >= 0 or not self.max_kept_bytes >= 0:
            raise ValueError("resume_timeout and max_kept_bytes must not be negative")

    def ssl_context(self, url: str) -> Optional[ssl_module.SSLContext]:
        """Return how TLS is used at this URL; None: it is not."""
        if self.token is not None and urlsplit(url).username is not None:
            raise ValueError("url has a user, and there is a token: give only one of them, both are sent in one header")
        if not url.startswith("wss:"):
            if self.ssl is not None or self.ca_file is not None:
                raise ValueError(f"ssl and ca_file need an address with wss:// or https://; found {printable_url(url)}")
            return None
        if self.ssl is not None:
            return self.ssl
        return ssl_module.create_default_context(cafile=None if self.ca_file is None else str(Path(self.ca_file)))

    def all_headers(self) -> Dict[str, str]:
        token = self.token() if callable(self.token) else self.token
        headers = dict(self.headers or {})
        return headers if token is None else {**headers, "Authorization": f"Bearer {token}"}


def split_fields(fields: Mapping[str, Any]) -> tuple[ConnectOptions, Dict[str, Any]]:
    """Separate the options of the connection from the fields of the start: the server knows which of these exist."""
    known = ConnectOptions.__dataclass_fields__
    options = {name: value for name, value in fields.items() if name in known}
    return ConnectOptions(**options), {name: value for name, value in fields.items() if name not in known}


def start_body(format: FormatLike, fields: Mapping[str, Any]) -> Dict[str, Any]:
    shape = format.to_json() if isinstance(format, AudioFormat) else dict(format)
    return {"request": "start", "format": shape, **fields}


def stream_url(url: str, pattern: str) -> str:
    """Return the URL of a stream.

    `url` is HOST, HOST:PORT, or a URL of HTTP or WebSocket, with or without a path. Raises ValueError.
    """
    allowed = "HOST:PORT, or a URL that begins with http://, https://, ws:// or wss://"
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url)
    parts = urlsplit(url if scheme else f"ws://{url}")
    kind = _SCHEMES.get(parts.scheme.lower())
    try:
        port = parts.port
    except ValueError:
        port = 0
    if kind is None or not parts.hostname or port == 0 or parts.fragment or re.search(r"\s", url):
        raise ValueError(f"url: found {printable_url(url)!r}; allowed: {allowed}")
    host = parts.netloc if scheme or port is not None else f"{parts.netloc}:{DEFAULT_PORT}"
    path = f"/api/v1/{pattern}" if parts.path.strip("/") == "" else parts.path
    return f"{kind}://{host}{path}{'?' + parts.query if parts.query else ''}"


def printable_url(url: str) -> str:
    """Return a URL for messages: without credentials and query, which may have secrets."""
    return re.sub(r"[?#].*", "", re.sub(r"//[^/?#]*@", "//", url))
