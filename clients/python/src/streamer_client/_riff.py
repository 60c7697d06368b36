"""Headers of WAV files: RIFF, RF64 and BW64, also of a pipe, which cannot be read twice."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple, Optional

from .formats import SAMPLE_FORMATS, AudioFormat

#: Bytes before the audio at most, as the server has it.
MAX_HEADER_BYTES = 1 << 20

#: Encodings that the server takes, by the tag of the format: is_float, encoding.
_ENCODINGS = {1: (False, "pcm"), 3: (True, "pcm"), 6: (False, "alaw"), 7: (False, "mulaw")}
_EXTENSIBLE = 0xFFFE
#: A size that a writer to a pipe could not know.
_UNKNOWN = (0, 0xFFFFFFFF)


class HeaderError(Exception):
    """The header is not that of a WAV file whose samples the server takes."""


class Header(NamedTuple):
    """What a header declares. `data_bytes` is None if the audio goes on to the end of the file."""

    format: AudioFormat
    data_bytes: Optional[int]


def read_header(source: Any) -> Header:
    """Read up to the first byte of audio from `source`, whose `read(n)` returns fewer than n bytes at its end only.

    Raises HeaderError.
    """
    head = source.read(12)
    if head[:4] not in (b"RIFF", b"RF64", b"BW64") or head[8:] != b"WAVE":
        raise HeaderError("it is too short" if len(head) < 12 else "it does not begin as one")
    left = MAX_HEADER_BYTES - 12

    def take(count: int) -> bytes:
        nonlocal left
        left -= count
        if left < 0:
            raise HeaderError(f"no audio in its first {MAX_HEADER_BYTES:,} bytes")
        data: bytes = source.read(count)
        if len(data) < count:
            raise HeaderError("it ends within the header")
        return data

    format: Optional[AudioFormat] = None
    long_bytes: Optional[int] = None
    while True:
        name, size = struct.unpack("<4sI", take(8))
        if name == b"data":
            if format is None:
                raise HeaderError("its audio comes before its format")
            if size == 0xFFFFFFFF and long_bytes:
                return Header(format, long_bytes)
            return Header(format, None if size in _UNKNOWN else size)
        chunk = take(size + size % 2)
        if name == b"fmt ":
            format = _format(chunk)
        elif name == b"ds64" and size >= 16:
            (long_bytes,) = struct.unpack_from("<Q", chunk, 8)


def _format(chunk: bytes) -> AudioFormat:
    if len(chunk) < 16:
        raise HeaderError(f"its format has {len(chunk)} bytes; allowed: 16 or more")
    tag, channels, sample_rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", chunk)
    if tag == _EXTENSIBLE and len(chunk) >= 26:
        (tag,) = struct.unpack_from("<H", chunk, 24)
    if tag not in _ENCODINGS:
        raise HeaderError(f"its samples have encoding {tag}")
    is_float, encoding = _ENCODINGS[tag]
    # Samples stand in whole bytes: 20 bits in three, 24 bits in three or four.
    depth = 8 * (frame_bytes // channels) if channels and frame_bytes % channels == 0 else bits
    if (depth, is_float, encoding) not in SAMPLE_FORMATS.values() or channels == 0:
        kind = "floats" if is_float else encoding
        raise HeaderError(f"it has {depth}-bit samples ({kind}) in {channels} channels")
    return AudioFormat(channels, sample_rate, depth, is_float, encoding)
