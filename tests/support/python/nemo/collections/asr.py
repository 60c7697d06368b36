"""Stands in for `nemo.collections.asr` of nemo_toolkit 3.0.0, with the parameters and results of `transcribe`."""

from types import SimpleNamespace


class Hypothesis:
    def __init__(self, text, timestamp):
        self.text = text
        self.timestamp = timestamp


class ASRModel:
    @classmethod
    def from_pretrained(cls, model_name):
        return cls()

    @classmethod
    def restore_from(cls, restore_path):
        return cls()

    def eval(self):
        return self

    def transcribe(self, audio, batch_size=4, return_hypotheses=False, num_workers=0, verbose=True, timestamps=None):
        def hear(samples):
            word = {"word": "stand-in", "start": 0.0, "end": len(samples) / 16_000, "start_offset": 0, "end_offset": 9}
            return Hypothesis("stand-in", {"word": [word]} if timestamps else [])

        return [hear(samples) for samples in audio]


models = SimpleNamespace(ASRModel=ASRModel)
