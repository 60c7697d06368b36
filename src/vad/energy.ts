import { EnergyVad as NativeEnergyVad } from "../native/vad.ts";
import type { Vad } from "./detector.ts";

/** Windows decided in one native call at most. */
const BATCH_WINDOWS = 512;

/** Scratch of this thread: a VAD is synchronous, so that one is enough for all streams. */
const speech = new Uint8Array(BATCH_WINDOWS);
const levels = new Float32Array(BATCH_WINDOWS);

/** The energy VAD of the C library: speech is what stands `thresholdDb` (3 .. 40) above a tracked noise floor. */
export class EnergyVad implements Vad {
  readonly windowSamples: number;
  readonly #native: NativeEnergyVad;

  /** @param sampleRate Hz */
  constructor(sampleRate: number, thresholdDb: number) {
    this.#native = new NativeEnergyVad(sampleRate, thresholdDb);
    this.windowSamples = this.#native.windowSamples;
  }

  push(samples: Float32Array, index: number, length: number, decide: (speech: boolean, levelDb: number) => void): void {
    const batch = (BATCH_WINDOWS - 1) * this.windowSamples;
    for (let done = 0; done < length; done += batch) {
      const windows = this.#native.process(samples, index + done, Math.min(batch, length - done), speech, levels);
      for (let i = 0; i < windows; i++) decide(speech[i] === 1, levels[i] ?? 0);
    }
  }

  [Symbol.dispose](): void {
    this.#native[Symbol.dispose]();
  }
}
