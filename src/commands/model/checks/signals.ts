import { random } from "../../../model/built-in/random.ts";

/** Something to try a model on. */
export interface Signal {
  readonly name: string;
  readonly samples: Float32Array;
  /** When a server would give the model such a thing. */
  readonly when: string;
}

const SYLLABLE_SECONDS = 0.2;

/** Like speech to a machine: syllables of a falling voice with formants, and pauses between words. Deterministic. */
export function speechLike(sampleRate: number, seconds: number, seed = 1): Float32Array {
  const samples = new Float32Array(Math.round(sampleRate * seconds));
  const draw = random(seed);
  let phase = 0;
  let [pitch, formant, loud] = [120, 500, 0.3];
  for (let i = 0; i < samples.length; i++) {
    const time = i / sampleRate;
    const place = (time % SYLLABLE_SECONDS) / SYLLABLE_SECONDS;
    if (i % Math.round(SYLLABLE_SECONDS * sampleRate) === 0) {
      pitch = 90 + 90 * draw();
      formant = 300 + 900 * draw();
      loud = draw() < 0.25 ? 0 : 0.1 + 0.3 * draw();
    }
    phase += (pitch * (1 - 0.2 * place)) / sampleRate;
    let voice = 0;
    for (let harmonic = 1; harmonic <= 12; harmonic++) {
      const distance = (harmonic * pitch - formant) / 400;
      voice += Math.sin(2 * Math.PI * harmonic * phase) / (1 + distance * distance);
    }
    samples[i] = loud * Math.sin(Math.PI * place) * 0.4 * voice + 0.002 * (draw() - 0.5);
  }
  return samples;
}

function noise(length: number, seed: number): Float32Array {
  const draw = random(seed);
  return Float32Array.from({ length }, () => 0.5 * (2 * draw() - 1));
}

/** Longest utterance of the default configuration, `vad.max_utterance_ms`. */
const LONGEST_SECONDS = 30;

export function oddSignals(sampleRate: number): Signal[] {
  const second = speechLike(sampleRate, 1, 2);
  return [
    { name: "silence", samples: new Float32Array(sampleRate), when: "a muted microphone gives nothing else" },
    { name: "noise", samples: noise(sampleRate, 3), when: "streams have noise in them" },
    {
      name: "clipped",
      samples: second.map((sample) => Math.sign(sample)),
      when: "a microphone that is too loud sounds like this",
    },
    { name: "1 sample", samples: Float32Array.of(0.1), when: "the last block of a stream may be this short" },
    { name: "10 ms", samples: second.subarray(0, Math.round(sampleRate / 100)), when: "the last block is often short" },
    {
      name: "30 s",
      samples: speechLike(sampleRate, LONGEST_SECONDS, 4),
      when: "an utterance may be this long (vad.max_utterance_ms)",
    },
  ];
}
