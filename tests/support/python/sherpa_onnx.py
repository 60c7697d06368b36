"""Stands in for the package sherpa-onnx, with the calls that docs/sherpa-onnx.md makes.

It says "la" for each chunk of 320 ms that is loud. tests/suites/engines/sherpa.test.ts runs the page with the real one.
"""

CHUNK = 5120
RATE = 16000
LOUD = 1e-4

# Parameters of the real function.
_PARAMETERS = ("tokens", "encoder", "decoder", "joiner", "num_threads", "enable_endpoint_detection", "rule2_min_trailing_silence")


class OnlineStream:
    def __init__(self):
        self.samples = []
        self.finished = False
        self.decoded = 0
        self.tokens = []
        self.timestamps = []

    def accept_waveform(self, sample_rate, waveform):
        if sample_rate != RATE or self.finished:
            raise ValueError("no more audio")
        self.samples.extend(waveform)

    def input_finished(self):
        self.finished = True


class OnlineRecognizerResult:
    def __init__(self, tokens, timestamps):
        self.text = "".join(tokens)
        self.tokens = tokens
        self.timestamps = timestamps


class OnlineRecognizer:
    @classmethod
    def from_transducer(cls, **parameters):
        unknown = set(parameters) - set(_PARAMETERS)
        if unknown:
            raise TypeError("unexpected keyword arguments: %s" % unknown)
        return cls()

    def create_stream(self):
        return OnlineStream()

    def is_ready(self, stream):
        return len(stream.samples) - stream.decoded >= CHUNK

    def decode_stream(self, stream):
        chunk = stream.samples[stream.decoded : stream.decoded + CHUNK]
        if sum(sample * sample for sample in chunk) / CHUNK > LOUD:
            stream.tokens.append(" la")
            stream.timestamps.append(stream.decoded / RATE)
        stream.decoded += CHUNK

    def decode_streams(self, streams):
        for stream in streams:
            self.decode_stream(stream)

    def get_result_all(self, stream):
        return OnlineRecognizerResult(list(stream.tokens), list(stream.timestamps))

    def is_endpoint(self, stream):
        return False
