"""Measures the audio of each piece."""

name = "measuring"
max_batch = 4
idempotent = True


class Model:
    def infer(self, audio, call):
        return {"count": len(audio), "power": sum(sample * sample for sample in audio)}

    def infer_batch(self, audios, calls):
        return [self.infer(*each) for each in zip(audios, calls)]
