import { demoRecording } from "../../bench/support/transcribed-speech.ts";

export const RATE = 48_000;
/** Real utterances of each side of the recording, as its description lists them. */
export const SPOKEN = [3, 4] as const;

/** One side of tests/data/two-speakers-48k.wav at 48 kHz; 0 is a reader, 1 short commands. */
export function recordedSide(side: 0 | 1): Int16Array<ArrayBuffer> {
  const { bytes } = demoRecording();
  const both = new Int16Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 2));
  return Int16Array.from({ length: Math.floor(both.length / 2) }, (_, i) => both[2 * i + side]!);
}
