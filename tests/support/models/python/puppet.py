"""The model of ../puppet.ts: acts by the first sample of the audio."""

import asyncio
import os
import time

name = "puppet"

THROW, EXIT, HANG, SPIN, RESERVED, NAN, ARRAY, SOUND, SCRIBBLE, LATER, LATER_THROW = 1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13
OPTIONS_BACK, PAUSE, OWN, NATIVE = 16, 17, 18, 19


class Model:
    def infer(self, audio, call):
        usual = {"count": len(audio), "last": float(audio[-1]) if len(audio) else None, "final": call.final}
        order = audio[0] if len(audio) else 0
        if order == THROW:
            raise Exception("the model's own words")
        if order == EXIT:
            os._exit(3)
        if order == HANG:
            time.sleep(100_000)
        if order == SPIN:
            while True:
                pass
        if order == RESERVED:
            return {"start_time": 1}
        if order == NAN:
            return {"deep": {"level": [float("nan")]}}
        if order == ARRAY:
            return [1]
        if order == SOUND:
            return {**usual, "audio": {"samples": halved(audio), "sample_rate": 8000}}
        if order == SCRIBBLE:
            for i in range(len(audio)):
                audio[i] = 99
        if order == LATER:
            return self.later(usual)
        if order == LATER_THROW:
            return self.later(Exception("late words"))
        if order == OPTIONS_BACK:
            return {"options": call.options, "traceparent": call.traceparent}
        if order == PAUSE:
            time.sleep(0.005)
        if order == NATIVE:
            time.sleep(2.5)
        if order == OWN:
            return {**usual, "audio": audio}
        return usual

    async def later(self, result):
        await asyncio.sleep(0.001)
        if isinstance(result, Exception):
            raise result
        return result


def halved(audio):
    for i in range(len(audio)):
        audio[i] /= 2
    return audio
