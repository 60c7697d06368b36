# The model interface of Streamer, for editors and type checkers. `streamer model init` writes it, and overwrites it.
# Nothing imports it at run time: model files import it below `if TYPE_CHECKING:`.

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, TypedDict, TypeVar, Union

import numpy as np
from numpy.typing import NDArray
from typing_extensions import NotRequired

#: Audio of one channel: mono, 32-bit float, full scale at -1 and 1. The array belongs to the model, which may write to
#: it and keep it. In an interpreter without NumPy it is a `memoryview` of floats.
Audio = NDArray[np.float32]

class Sound(TypedDict):
    """Audio of a result at a rate of its own."""

    samples: Audio
    sample_rate: int

#: A result: a dictionary of numbers, strings, booleans, None, lists and dictionaries; scalars and arrays of NumPy are
#: converted. Its entries are fields of the event to the client. The entry `audio` is sent as sound: an array of
#: float32 at the rate of the model, or a `Sound`. The protocol reserves the names `type`, `channel`, `start_time`,
#: `end_time`, `is_final` and `timing`.
Output = Mapping[str, Any]

T = TypeVar("T")
State = TypeVar("State")
LastState = TypeVar("LastState", contravariant=True)

#: A value, or what an `async def` returns.
MaybeAwaitable = Union[T, Awaitable[T]]

class Call(Protocol):
    """Information about one call besides the audio."""

    @property
    def final(self) -> bool:
        """True for a final result, False for an interim result of an utterance that is still in progress."""

    @property
    def sample_rate(self) -> int:
        """Sample rate of the audio, Hz."""

    @property
    def options(self) -> Any:
        """`options` of the client's `start`, as sent; None without options. Treat the values as untrusted input."""

    @property
    def traceparent(self) -> Union[str, None]:
        """W3C trace context of the call, or None."""

    @property
    def start_seconds(self) -> float:
        """Where the audio of the call starts, in seconds from the start of the stream."""

    @property
    def utterance(self) -> Union[int, None]:
        """Number of the utterance that the call belongs to, from 0, on /segmented; None on other patterns."""

class Setting(TypedDict):
    """A setting: `model.NAME` in the configuration, `--set model.NAME=VALUE` on the command line."""

    default: Any
    #: Unit of the value, such as "s", "dB" or "Hz".
    unit: NotRequired[str]
    meaning: NotRequired[str]

Settings = Mapping[str, Setting]

class Context(Protocol):
    """Information for `__init__(self, settings, context)`, which may have this parameter."""

    @property
    def spawn(self) -> int:
        """Number of workers that the server started for this model before this one: 0, 1, 2, ..."""

class Stateless(Protocol):
    """The class `Model` of a model file that processes each span of audio on its own.

    Optional methods: `__init__(self, settings)`, which runs once in each worker, before any audio; `infer_batch` (see
    `Batching`), `warm_up` and `close` (see `Lifecycle`).
    An exception that a call raises is sent to the client in place of the result, and the stream continues.
    """

    def infer(self, audio: Audio, call: Call) -> MaybeAwaitable[Union[Output, None]]:
        """Returns the result for one span. None declines an interim result: no event is sent."""

class Batching(Protocol):
    """Optional. See `max_batch`."""

    def infer_batch(self, audios: list[Audio], calls: list[Call]) -> MaybeAwaitable[Sequence[Union[Output, None]]]:
        """Processes several spans at once. Returns one result for each, in order."""

class Stateful(Protocol[State]):
    """The class `Model` of a model file that processes a stream block by block and keeps state between the blocks.

    The state is a value: each call gets the last one and returns the next one. It travels between workers by pickle, so
    it should be small. The instance must not keep data of a stream. After an exception, the stream continues with the
    last state. Optional methods: `__init__(self, settings)`, `finish` (see `Finishing`), `dispose` (see `Disposing`),
    `warm_up` and `close` (see `Lifecycle`).
    """

    def start(self, call: Call) -> MaybeAwaitable[State]:
        """Returns the state at the start of a stream."""

    def step(self, audio: Audio, state: State, call: Call) -> MaybeAwaitable[tuple[Union[Output, None], State]]:
        """Processes the next block. Returns a result, or None for none, and the new state."""

class Finishing(Protocol[LastState]):
    """Optional for a `Stateful` model."""

    def finish(self, state: LastState, call: Call) -> MaybeAwaitable[Union[Output, None]]:
        """Returns the last result at the end of a stream, or None for none."""

class Disposing(Protocol[LastState]):
    """Optional for a `Stateful` model."""

    def dispose(self, state: LastState) -> MaybeAwaitable[None]:
        """Releases what a state stands for outside of Python, when a stream ends without `finish`."""

class PinnedStream(Protocol):
    """A stream of one channel, which stays in its worker and may hold what cannot be copied, as recognisers do.

    An output may have the entry `endpoint`: with True, the utterance ends at the end of this step. It is not sent.
    Optional methods: `reset` (see `Resetting`), `close` (see `Closing`).
    """

    def step(self, audio: Audio, call: Call) -> MaybeAwaitable[Union[Output, None]]:
        """Takes the next samples, each once. Returns what it can say so far, or None. On /segmented: the interim."""

    def finish(self, call: Call) -> MaybeAwaitable[Union[Output, None]]:
        """The utterance, or the stream, has ended. Gets no audio. Returns the final result, or None for none."""

class Resetting(Protocol):
    """Optional for a `PinnedStream`."""

    def reset(self) -> MaybeAwaitable[None]:
        """Makes the stream as a new one, after `finish`. Without it, the stream is closed and another is opened."""

class Closing(Protocol):
    """Optional for a `PinnedStream`."""

    def close(self) -> MaybeAwaitable[None]:
        """Releases what the stream holds. Not called when the worker ends during a call."""

Stream = TypeVar("Stream")
OpenStream = TypeVar("OpenStream", covariant=True)

class Pinned(Protocol[OpenStream]):
    """The class `Model` of a model file whose streams stay in one worker: `OpenStream` is a `PinnedStream`.

    After an exception in `step`, the stream goes on with the next samples, unless the exception has the attribute
    `stream_lost = True`: then it is closed, and another is opened. When the worker ends, its streams are lost, and
    the clients get the warning `state_lost`. Optional methods: `__init__(self, settings)`, `step_batch` (see
    `BatchingSteps`), `warm_up` and `close` (see `Lifecycle`).
    """

    def open(self, call: Call) -> MaybeAwaitable[OpenStream]:
        """Opens a stream."""

class BatchingSteps(Protocol[Stream]):
    """Optional for a `Pinned` model. See `max_batch`."""

    def step_batch(
        self, streams: list[Stream], audios: list[Audio], calls: list[Call]
    ) -> MaybeAwaitable[Sequence[Union[Output, None]]]:
        """Steps several streams at once. Returns one output, or None, for each, in order."""

class Lifecycle(Protocol):
    """Optional methods of every model."""

    def warm_up(self) -> MaybeAwaitable[None]:
        """Runs once before the first call. Without it, the warm-up is a call with one second of silence."""

    def close(self) -> MaybeAwaitable[None]:
        """Releases resources when the server shuts down. Not called when a worker ends during a call."""

class ModelFile(Protocol):
    """The names at the top level of a model file: `name` and the class `Model` are required.

    Optional, with their defaults:
      sample_rate        16_000    4,000 to 384,000 Hz; streams are resampled to it
      max_batch          1         largest number of spans for one `infer_batch` or `step_batch`, 1 to 1024
      max_batch_wait_ms  0         longest wait for others to join a batch, 0 to 10,000 ms
      idempotent         False     True if a call may be repeated: final results are tried once more when a worker dies
      stateful                     by default, the class decides: it is stateful if it has `step`
      pinned                       by default, the class decides: it is pinned if it has `open`
      settings                     the settings by name, each a `Setting`; unknown names and wrong types are refused
      options                      names of the options of a client's `start` that the model takes; others are refused
      validate(settings)           returns a list of sentences, one for each problem with the settings
    """

    name: str
