"""Stands in for the package faster-whisper 1.2.1, with the parameters and results of its `WhisperModel`."""

from collections import namedtuple

Word = namedtuple("Word", ["start", "end", "word", "probability"])
Segment = namedtuple("Segment", ["start", "end", "text", "words"])
TranscriptionInfo = namedtuple("TranscriptionInfo", ["language", "language_probability", "duration"])

SAMPLE_RATE = 16_000


class WhisperModel:
    def __init__(self, model_size_or_path, device="auto", compute_type="default", cpu_threads=0, local_files_only=False):
        self.size = model_size_or_path

    def transcribe(
        self,
        audio,
        language=None,
        beam_size=5,
        condition_on_previous_text=True,
        initial_prompt=None,
        word_timestamps=False,
        vad_filter=False,
        hotwords=None,
    ):
        seconds = len(audio) / SAMPLE_RATE

        def segments():
            for number, text in enumerate([" A stand-in", " of %s." % self.size]):
                words = [Word(seconds * number / 2, seconds * (number + 1) / 2, text, 0.5)]
                yield Segment(0.0, seconds, text, words if word_timestamps else None)

        return segments(), TranscriptionInfo(language or "en", 1.0, seconds)
