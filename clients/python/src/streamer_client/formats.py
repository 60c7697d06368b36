"""Formats of audio, as a `start` describes them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Dict, Mapping, Tuple, Union

#: Fields of each sample format: bits of a sample, float or not, encoding.
SAMPLE_FORMATS: Mapping[str, Tuple[int, bool, str]] = {
    "u8": (8, False, "pcm"),
    "s16": (16, False, "pcm"),
    "s24": (24, False, "pcm"),
    "s32": (32, False, "pcm"),
    "f32": (32, True, "pcm"),
    "f64": (64, True, "pcm"),
    "mulaw": (8, False, "mulaw"),
    "alaw": (8, False, "alaw"),
}

#: Kinds of elements that a buffer may have (PEP 3118), by bits of a sample and whether they are floats.
_ELEMENTS: Mapping[Tuple[int, bool], str] = {(16, False): "hH", (32, False): "iIlL", (32, True): "f", (64, True): "d"}

#: What `send` takes: bytes, or any object whose memory is that of samples, such as an array of NumPy.
Buffer = Any


@dataclass(frozen=True)
class AudioFormat:
    """Interleaved little-endian samples.

    `sample_rate` is in Hz, `bit_depth` is 8, 16, 24, 32 or 64 bits of a sample, and `encoding` is `pcm`, `mulaw` or
    `alaw`. Defaults are those of 16-bit PCM. The server checks the values.
    """

    channels: int = 1
    sample_rate: int = 16000
    bit_depth: int = 16
    is_float: bool = False
    encoding: str = "pcm"

    @classmethod
    def of(cls, sample_format: str, *, sample_rate: int = 16000, channels: int = 1) -> AudioFormat:
        """Return the format of a short name: u8, s16, s24, s32, f32, f64, mulaw or alaw."""
        if sample_format not in SAMPLE_FORMATS:
            raise ValueError(f"sample_format: found {sample_format!r}; allowed: {', '.join(SAMPLE_FORMATS)}")
        bit_depth, is_float, encoding = SAMPLE_FORMATS[sample_format]
        return cls(channels, sample_rate, bit_depth, is_float, encoding)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame: one sample of every channel."""
        return self.bit_depth // 8 * self.channels

    def to_json(self) -> Dict[str, Any]:
        return asdict(self)


FormatLike = Union[AudioFormat, Mapping[str, Any]]


def audio_bytes(data: Buffer, format: AudioFormat) -> bytes:
    """Return a copy of audio as bytes.

    Raises TypeError if `data` has no memory of samples, or elements of another kind than `format` has.
    """
    if isinstance(data, bytes):
        return data
    try:
        view = memoryview(data)
    except TypeError:
        raise TypeError(f"audio: found {type(data).__name__}; allowed: bytes, or an array of samples") from None
    kind = view.format.lstrip("@=<")
    if view.itemsize > 1 and not (
        len(kind) == 1
        and kind in _ELEMENTS.get((format.bit_depth, format.is_float), "")
        and view.itemsize * 8 == format.bit_depth
    ):
        expected = f"{format.bit_depth}-bit {'floats' if format.is_float else 'integers'} ({format.encoding})"
        raise TypeError(f"audio: found elements {view.format!r} of {view.itemsize} bytes; the stream has {expected}")
    return view.tobytes()
