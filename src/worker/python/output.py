"""Outputs of a model: checked, and encoded as JSON."""

import array
import json
import math

from streamer_host import arrays
from streamer_host.failures import ModelFault

# The limits of src/worker/output.ts.
MAX_OUTPUT_LENGTH = 512 * 1024
MAX_AUDIO_SAMPLES = 8 * 1024 * 1024
MAX_SAMPLE_RATE = 384_000
MAX_DEPTH = 32
# The largest integer that a double, which every number of JSON is to most readers, represents exactly.
MAX_INTEGER = 2**53 - 1

RESERVED_FIELDS = ("type", "channel", "start_time", "end_time", "is_final", "timing")

_AUDIO_SHAPES = "a float32 array of one dimension, or {'samples': array, 'sample_rate': Hz}"


class Result:
    """What the server gets for a job."""

    __slots__ = ("output", "audio", "sample_rate", "state", "error", "stack", "whole_batch", "opened", "endpoint", "code")

    def __init__(self, output=None, audio=None, sample_rate=None, error=None, stack=None, whole_batch=False):
        # JSON text; None: the model returned no result.
        self.output = output
        # A buffer of float32 samples.
        self.audio = audio
        self.sample_rate = sample_rate
        # Bytes.
        self.state = None
        self.error = error
        self.stack = stack
        # The code that the model has given to the error.
        self.code = None
        # The error is that of a whole batch: its words may have come from any of the jobs.
        self.whole_batch = whole_batch
        # Of pinned models: the call has opened its stream; the utterance has ended.
        self.opened = False
        self.endpoint = False


def check_output(output, sample_rate):
    """Returns the result for an output of the model. Raises ModelFault when it is not a dict of JSON values."""
    if not isinstance(output, dict):
        raise ModelFault("the model's output must be a dict, not %s" % describe_kind(output))
    fields = {name: value for name, value in output.items() if name != "audio"}
    for name in RESERVED_FIELDS:
        if name in fields:
            raise ModelFault('the model\'s output has a field "%s", which is reserved by the protocol' % name)
    plain = _plain_dict(fields, "the output", 0)
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    if not _is_encodable(text):
        text = json.dumps(plain, separators=(",", ":"))
    if len(text) > MAX_OUTPUT_LENGTH:
        raise ModelFault("the model's output has %d characters of JSON; allowed: %d" % (len(text), MAX_OUTPUT_LENGTH))
    if output.get("audio") is None:
        return Result(text)
    audio, rate = _check_audio(output["audio"], sample_rate)
    return Result(text, audio, rate)


def _is_encodable(text):
    """Returns False for text with unpaired surrogates, which are sent as escapes."""
    try:
        text.encode("utf-8")
        return True
    except UnicodeEncodeError:
        return False


def _plain(value, path, depth):
    """Returns a value without NumPy's types."""
    if depth > MAX_DEPTH:
        raise ModelFault("%s is nested deeper than %d levels, or contains itself" % (path, MAX_DEPTH))
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise ModelFault("%s is an integer beyond 2^53, which JSON cannot represent exactly" % path)
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ModelFault("%s is %s, which JSON cannot represent" % (path, _number_name(value)))
        return float(value)
    if isinstance(value, dict):
        return _plain_dict(value, path, depth)
    if isinstance(value, (list, tuple)):
        return [_plain(inner, "%s[%d]" % (path, i), depth + 1) for i, inner in enumerate(value)]
    numpy = arrays.numpy
    if numpy is not None and isinstance(value, (numpy.ndarray, numpy.generic)) and value.dtype.kind in "biufUO":
        # The elements of an array of long doubles stay NumPy's.
        plain = value.astype(numpy.float64) if value.dtype.kind == "f" and value.dtype.itemsize > 8 else value
        return _plain(plain.tolist(), path, depth)
    raise ModelFault("%s is %s, which JSON cannot represent%s" % (path, describe_kind(value), _hint(value)))


def _plain_dict(fields, path, depth):
    plain = {}
    for name, value in fields.items():
        if not isinstance(name, str):
            raise ModelFault("%s has the key %.60r; allowed: strings" % (path, name))
        inner = '"%s"' % name if depth == 0 else "%s.%s" % (path, name)
        plain[str(name)] = _plain(value, inner, depth + 1)
    return plain


def _number_name(value):
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def describe_kind(value):
    """Describes a value by its type, after "is" or "not"."""
    if value is None:
        return "None"
    if arrays.numpy is not None and isinstance(value, arrays.numpy.ndarray):
        return "an array of %s" % value.dtype
    name = type(value).__name__
    return "%s %s" % ("an" if name[:1].lower() in "aeiou" else "a", name)


def _hint(value):
    if hasattr(type(value), "__dataclass_fields__"):
        return " (dataclasses.asdict() makes a dict of it)"
    if isinstance(value, (set, frozenset)):
        return " (a list is)"
    own = type(value).__module__.split(".")[0] != "numpy"
    if own and callable(getattr(type(value), "tolist", None)):
        return " (its .tolist() is)"
    return ""


def _check_audio(audio, sample_rate):
    if isinstance(audio, dict):
        samples, rate = audio.get("samples"), audio.get("sample_rate")
        numpy = arrays.numpy
        whole = isinstance(rate, int) or (numpy is not None and isinstance(rate, numpy.integer))
        if isinstance(rate, bool) or not whole or rate <= 0:
            raise ModelFault('the output\'s "audio" must be %s; found the sample_rate %.60r' % (_AUDIO_SHAPES, rate))
        if rate > MAX_SAMPLE_RATE:
            limits = "allowed: 1 to %d Hz" % MAX_SAMPLE_RATE
            raise ModelFault("the output's \"audio\" has the sample_rate %.60r; %s" % (int(rate), limits))
        return _samples(samples), int(rate)
    return _samples(audio), sample_rate


def _samples(samples):
    """Returns samples as a contiguous buffer of float32."""
    numpy = arrays.numpy
    if numpy is not None and isinstance(samples, numpy.ndarray):
        if samples.dtype.kind != "f" or samples.ndim != 1:
            found = "an array of %s of the shape %s" % (samples.dtype, samples.shape)
            raise ModelFault("the output's \"audio\" must be %s; found %s" % (_AUDIO_SHAPES, found))
        _check_length(samples.size)
        return numpy.ascontiguousarray(samples, numpy.dtype("<f4"))
    if isinstance(samples, (memoryview, array.array)):
        view = memoryview(samples)
        if view.format in ("f", "d") and view.ndim == 1:
            _check_length(len(view))
            # A copy: it may be a view of memory that the model changes.
            return array.array("f", view.tolist()) if view.format == "d" else view.tobytes()
    found = describe_kind(samples)
    raise ModelFault("the output's \"audio\" must be %s; found %s" % (_AUDIO_SHAPES, found))


def _check_length(length):
    if length > MAX_AUDIO_SAMPLES:
        raise ModelFault("the output's \"audio\" has %d samples; allowed: %d" % (length, MAX_AUDIO_SAMPLES))
