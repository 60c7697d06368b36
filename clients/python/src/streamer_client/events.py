"""Events: the text messages of the server, as frozen dataclasses.

Times are seconds since the first sample of the stream; channels are counted from 0. Every event keeps the JSON object
that it was read from in `raw`, with fields that this version of the library does not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, Mapping, Optional, Tuple, Union

from .formats import AudioFormat


def _empty() -> Dict[str, Any]:
    return {}


def _raw() -> Any:
    return field(default_factory=_empty, repr=False, compare=False)


@dataclass(frozen=True)
class Limits:
    """Limits of the server. A `session_ms` of 0 means none."""

    max_message_bytes: int
    max_channels: int
    idle_timeout_ms: int
    session_ms: int


@dataclass(frozen=True)
class EffectiveVad:
    """Settings of voice activity detection in force, in dB, dBFS and ms."""

    threshold_db: float
    min_speech_ms: float
    min_silence_ms: float
    pre_roll_ms: float
    post_roll_ms: float
    max_utterance_ms: float
    floor_dbfs: Optional[float] = None


@dataclass(frozen=True)
class Started:
    """Accepts a `start`, and has the settings in force. `sample_rate` is that of the model, in Hz."""

    type: ClassVar[str] = "started"
    session_id: str
    stream: int
    trace_id: str
    format: AudioFormat
    model: str
    sample_rate: int
    limits: Limits
    vad: Optional[EffectiveVad] = None
    interim_interval_ms: Optional[float] = None
    features: Tuple[str, ...] = ()
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class Active:
    """The start of speech."""

    type: ClassVar[str] = "active"
    time: float
    channel: int
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class Inactive:
    """The end of speech."""

    type: ClassVar[str] = "inactive"
    time: float
    channel: int
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class Timing:
    """Milliseconds of a span: waiting for a worker, in the model, and of audio that was not answered yet."""

    queue_ms: float
    infer_ms: float
    lag_ms: float


@dataclass(frozen=True)
class ResultAudio:
    """The sound of a result: mono, 32-bit floats, little-endian, `bytes` of them at `sample_rate` Hz in `data`."""

    bytes: int
    sample_rate: int
    data: memoryview = field(default=memoryview(b""), repr=False)


@dataclass(frozen=True)
class Segment:
    """A result for a span of audio.

    `output` has the fields of the model. An interim (`is_final` False) is replaced by the next result with the same
    `channel` and `start_time`. Where there are no interims, every result is final.
    """

    type: ClassVar[str] = "segment"
    start_time: float
    end_time: float
    channel: int
    is_final: bool = True
    timing: Optional[Timing] = None
    audio: Optional[ResultAudio] = None
    output: Mapping[str, Any] = field(default_factory=_empty)
    raw: Mapping[str, Any] = _raw()

    @property
    def text(self) -> str:
        """What a recogniser has understood; empty for other models."""
        return _text(self.output)


@dataclass(frozen=True)
class Data:
    """A result without times: the last output of a model with state."""

    type: ClassVar[str] = "data"
    channel: int
    audio: Optional[ResultAudio] = None
    output: Mapping[str, Any] = field(default_factory=_empty)
    raw: Mapping[str, Any] = _raw()

    @property
    def text(self) -> str:
        """What a recogniser has understood; empty for other models."""
        return _text(self.output)


@dataclass(frozen=True)
class Flushed:
    """Everything before a `flush` has been answered, for this channel."""

    type: ClassVar[str] = "flushed"
    time: float
    channel: int
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class Checkpoint:
    """The stream can go on from frame `position`. The library uses it; you get it only with `resume_timeout=0`."""

    type: ClassVar[str] = "checkpoint"
    token: str
    position: int
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class Ledger:
    """Account of one channel. `received` counts frames at `received_rate`, the others samples of the model."""

    channel: int
    received: int
    received_rate: int
    decoded: int
    inferred: int
    silent: int
    failed: int
    segments: int
    interims: int
    errors: int


@dataclass(frozen=True)
class Stopped:
    """The last event of a stream. `reason` is stop, restart, drain, error or limit."""

    type: ClassVar[str] = "stopped"
    reason: str
    channels: Tuple[Ledger, ...]
    trailing_bytes: int
    skipped_bytes: int
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class ErrorEvent:
    """A request or a span failed. With times, it takes the place of the result of that span."""

    type: ClassVar[str] = "error"
    code: str
    message: str
    fatal: bool
    retryable: bool = False
    retry_after_ms: Optional[int] = None
    channel: Optional[int] = None
    start_time: Optional[float] = None
    end_time: Optional[float] = None
    param: Optional[str] = None
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class WarningEvent:
    """Something is suspicious but accepted. `draining` has `deadline_ms`: audio is taken for so long."""

    type: ClassVar[str] = "warning"
    code: str
    message: str
    channel: Optional[int] = None
    deadline_ms: Optional[int] = None
    raw: Mapping[str, Any] = _raw()


@dataclass(frozen=True)
class UnknownEvent:
    """An event of a later version of the protocol. It may be ignored."""

    type: str
    raw: Mapping[str, Any] = _raw()


Event = Union[
    Started,
    Active,
    Inactive,
    Segment,
    Data,
    Flushed,
    Checkpoint,
    Stopped,
    ErrorEvent,
    WarningEvent,
    UnknownEvent,
]


def _text(output: Mapping[str, Any]) -> str:
    text = output.get("text")
    return text if isinstance(text, str) else ""
