"""Recordings: WAV files, as the standard library reads them, and PCM without a header."""

from __future__ import annotations

import os
import sys
import wave
from typing import TYPE_CHECKING, Any, Optional, Union

from .errors import AudioFileError
from .formats import AudioFormat, FormatLike

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

#: Bytes of a frame at most, and seconds of audio in a part.
PART_SECONDS = 0.1

PathLike = Union[str, "os.PathLike[str]"]


class _Pipe:
    """Reads whole parts of a pipe, without the lock of a buffered file: a blocked reader would hold it at the end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = os.read(self._descriptor, count - len(parts))
            if not part:
                break
            parts += part
        return bytes(parts)


class Recording:
    """An open recording. `format` describes its samples; `read` returns the next of them.

    `path` is a WAV file, or, with `raw`, PCM in that format; "-" is standard input. Raises OSError, and AudioFileError
    for a file that the standard library cannot read.
    """

    def __init__(self, path: PathLike, raw: Optional[FormatLike] = None) -> None:
        self.name = "standard input" if path == "-" else os.fspath(path)
        self._file: Any = None
        self._source: Any = _Pipe(sys.stdin.fileno()) if path == "-" else open(path, "rb")
        self._wave: Optional[wave.Wave_read] = None
        self.format = AudioFormat() if raw is None else _format_of(raw)
        if raw is None:
            try:
                self._open_wave()
            except BaseException:
                self.close()
                raise

    def read(self, frames: int) -> bytes:
        """Return the bytes of so many frames, fewer at the end, and none after it."""
        if self._wave is not None:
            return self._wave.readframes(frames)
        data: bytes = self._source.read(frames * max(1, self.format.frame_bytes))
        return data

    def close(self) -> None:
        if self._wave is not None:
            self._wave.close()
        if not isinstance(self._source, _Pipe):
            self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _open_wave(self) -> None:
        try:
            self._wave = wave.open(self._source, "rb")
        except (wave.Error, EOFError) as error:
            why = str(error) or "it ends within the header"
            raise AudioFileError(
                f"{self.name} cannot be read as a WAV file: {why}; allowed: PCM of 8 to 32 bits as integers. Convert "
                "it, such as by `ffmpeg -i INPUT -c:a pcm_s16le OUTPUT.wav`, or give the format of raw samples"
            ) from None
        shape = self._wave.getparams()
        self.format = AudioFormat(shape.nchannels, shape.framerate, shape.sampwidth * 8)


def _format_of(raw: FormatLike) -> AudioFormat:
    return raw if isinstance(raw, AudioFormat) else AudioFormat(**raw)
