"""Microphones, by the package `sounddevice`: `pip install streamer-client[microphone]`."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, AsyncIterator, Deque, Iterator, Optional, Tuple, Union

from .errors import MicrophoneError
from .formats import AudioFormat

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

#: Milliseconds of a block, and blocks that wait at most: past it audio is dropped, and counted in `dropped_frames`.
BLOCK_MS = 100
MAX_BLOCKS = 600


class Microphone:
    """A microphone that records 16-bit samples while the `with` block runs. Iterate over it for blocks of bytes.

    `device` is a number or a name of `python -m sounddevice`. Raises MicrophoneError if `sounddevice` is not installed,
    or the device cannot be opened.
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        channels: int = 1,
        device: Optional[Union[int, str]] = None,
        max_blocks: int = MAX_BLOCKS,
    ) -> None:
        self.format = AudioFormat(channels, sample_rate, 16)
        self.dropped_frames = 0
        self._device = device
        self._max_blocks = max_blocks
        self._blocks: Deque[bytes] = deque()
        self._changed = threading.Condition()
        self._waiting: Optional[Tuple[asyncio.AbstractEventLoop, asyncio.Event]] = None
        self._stream: Any = None

    def start(self) -> None:
        sounddevice = _sounddevice()
        try:
            self._stream = sounddevice.RawInputStream(
                samplerate=self.format.sample_rate,
                channels=self.format.channels,
                dtype="int16",
                blocksize=self.format.sample_rate * BLOCK_MS // 1000,
                device=self._device,
                callback=self._record,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            self.stop()
            raise MicrophoneError(
                f"the microphone cannot be opened: {error}; `python -m sounddevice` lists the devices"
            ) from error

    def stop(self) -> None:
        """End the recording. What was recorded can still be read."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        self._wake()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.stop()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                while not self._blocks and self._stream is not None:
                    self._changed.wait()
                if not self._blocks:
                    return
                block = self._blocks.popleft()
            yield block

    async def __aiter__(self) -> AsyncIterator[bytes]:
        event = asyncio.Event()
        self._waiting = (asyncio.get_running_loop(), event)
        try:
            while True:
                event.clear()
                if self._blocks:
                    yield self._blocks.popleft()
                elif self._stream is None:
                    return
                else:
                    await event.wait()
        finally:
            self._waiting = None

    def _record(self, data: Any, frames: int, _time: Any, _status: Any) -> None:
        """Take a block, in the thread of the device."""
        if len(self._blocks) >= self._max_blocks:
            self.dropped_frames += frames
        else:
            self._blocks.append(bytes(data))
        self._wake()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
        waiting = self._waiting
        if waiting is not None:
            loop, event = waiting
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:
                # The loop has ended.
                self._waiting = None


def _sounddevice() -> Any:
    try:
        import sounddevice  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415
    except (ImportError, OSError) as error:
        # OSError: PortAudio itself is missing.
        raise MicrophoneError(
            f"microphones need the package sounddevice and PortAudio ({error}): "
            "pip install 'streamer-client[microphone]'; on Debian also apt-get install libportaudio2"
        ) from error
    return sounddevice  # pyright: ignore[reportUnknownVariableType]
