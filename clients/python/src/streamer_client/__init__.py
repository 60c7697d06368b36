"""Client of Streamer: streams audio to a model over a WebSocket, and receives results while people speak.

The names of this module block; `streamer_client.aio` has the same for asyncio.
"""

from . import aio
from ._decode import EventError
from ._options import ConnectFields, StartFields, VadSettings
from ._version import __version__
from .blocking import Stream, connect, stream_file, transcribe_file
from .errors import (
    AudioFileError,
    ConnectError,
    ConnectionLost,
    LedgerError,
    MicrophoneError,
    NotRead,
    ProtocolFault,
    StartRefused,
    StreamEnded,
    StreamerError,
    StreamTimeout,
)
from .events import (
    Active,
    Checkpoint,
    Data,
    EffectiveVad,
    ErrorEvent,
    Event,
    Flushed,
    Inactive,
    Ledger,
    Limits,
    ResultAudio,
    Segment,
    Started,
    Stopped,
    Timing,
    UnknownEvent,
    WarningEvent,
)
from .files import Recording
from .formats import AudioFormat
from .ledger import LedgerCheck, SentAudio
from .microphone import Microphone
from .transcript import Transcript

__all__ = (
    "Active",
    "AudioFileError",
    "AudioFormat",
    "Checkpoint",
    "ConnectError",
    "ConnectFields",
    "ConnectionLost",
    "Data",
    "EffectiveVad",
    "ErrorEvent",
    "Event",
    "EventError",
    "Flushed",
    "Inactive",
    "Ledger",
    "LedgerCheck",
    "LedgerError",
    "Limits",
    "Microphone",
    "MicrophoneError",
    "NotRead",
    "ProtocolFault",
    "Recording",
    "ResultAudio",
    "Segment",
    "SentAudio",
    "StartFields",
    "StartRefused",
    "Started",
    "Stopped",
    "Stream",
    "StreamEnded",
    "StreamTimeout",
    "StreamerError",
    "Timing",
    "Transcript",
    "UnknownEvent",
    "VadSettings",
    "WarningEvent",
    "__version__",
    "aio",
    "connect",
    "stream_file",
    "transcribe_file",
)
