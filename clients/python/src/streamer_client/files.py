"""Recordings: WAV files, and PCM without a header."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Optional, Union

from ._riff import HeaderError, read_header
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
    for a file that is no WAV file, or one whose samples the server does not take.
    """

    def __init__(self, path: PathLike, raw: Optional[FormatLike] = None) -> None:
        self.name = "standard input" if path == "-" else os.fspath(path)
        self._file: Any = None
        self._source: Any = _Pipe(sys.stdin.fileno()) if path == "-" else open(path, "rb")
        self._left: Optional[int] = None
        self._raw = raw is not None
        self.format = AudioFormat() if raw is None else _format_of(raw)
        if raw is None:
            try:
                self._open_wave()
            except BaseException:
                self.close()
                raise

    def read(self, frames: int) -> bytes:
        """Return the bytes of so many frames, fewer at the end, and none after it."""
        frame_bytes = max(1, self.format.frame_bytes)
        count = frames * frame_bytes
        if self._left is not None:
            count = min(count, self._left)
        data: bytes = self._source.read(count)
        if self._left is not None:
            self._left -= len(data)
        return data if self._raw else data[: len(data) - len(data) % frame_bytes]

    def close(self) -> None:
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
            self.format, self._left = read_header(self._source)
        except HeaderError as error:
            raise AudioFileError(
                f"{self.name} cannot be read as a WAV file: {error}; allowed: PCM of 8 to 32 bits, floats of 32 or 64 "
                "bits, mu-law and A-law. Convert it, such as by `ffmpeg -i INPUT OUTPUT.wav`, or give the format of "
                "raw samples"
            ) from None


def _format_of(raw: FormatLike) -> AudioFormat:
    return raw if isinstance(raw, AudioFormat) else AudioFormat(**raw)
