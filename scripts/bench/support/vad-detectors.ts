import { VAD_DEFAULTS } from "../../../src/protocol/vad-settings.ts";
import type { DetectorKind } from "../../../src/vad/detector.ts";
import { energy } from "../../../src/vad/energy.ts";
import { fixedThreshold, REFERENCE_DBFS } from "../../../src/vad/fixed-threshold.ts";
import { loadPeers, type Peers } from "./vad-peers.ts";
import { RATE } from "./vad-speech.ts";

/** The decisions of a detector about a whole recording. */
export interface Decisions {
  readonly windowSamples: number;
  /** One a window: 1 is speech. */
  readonly speech: Uint8Array;
  readonly levelDb: Float32Array;
}

export interface Detector {
  readonly name: string;
  detect(samples: Float32Array): Decisions | Promise<Decisions>;
}

const WINDOW = RATE / 100;
/** dBFS, halfway between the speech and noise that is 10 dB quieter: the best setting by hand. */
const FIXED_DBFS = -33;
/** WebRTC's aggressiveness, 0 .. 3. */
const WEBRTC_MODES = [0, 3];
/** Silero's published defaults: speech from 0.5 up, until below 0.35. */
const SILERO_ENTER = 0.5;
const SILERO_EXIT = 0.35;
const SILERO_WINDOW = 512;

/** The detectors that are installed, and a sentence for each that is not. */
export async function detectors(): Promise<{ present: Detector[]; absent: string[] }> {
  const { webrtc, silero, absent } = await loadPeers();
  const present: Detector[] = [
    { name: "energy", detect: (samples) => decisions(energy, VAD_DEFAULTS.threshold_db, samples) },
    { name: "fixed", detect: (samples) => decisions(fixedThreshold, FIXED_DBFS - REFERENCE_DBFS, samples) },
  ];
  if (webrtc) {
    for (const mode of WEBRTC_MODES) {
      present.push({ name: `webrtc/${mode}`, detect: (samples) => webrtcDecisions(webrtc, mode, samples) });
    }
  }
  if (silero) present.push({ name: "silero", detect: (samples) => sileroDecisions(silero, samples) });
  return { present, absent };
}

function decisions(kind: DetectorKind, thresholdDb: number, samples: Float32Array): Decisions {
  using detector = kind.create(RATE, { ...VAD_DEFAULTS, threshold_db: thresholdDb });
  const speech: number[] = [];
  const levels: number[] = [];
  detector.push(samples, 0, samples.length, (isSpeech, levelDb) => {
    speech.push(isSpeech ? 1 : 0);
    levels.push(levelDb);
  });
  return { windowSamples: detector.windowSamples, speech: Uint8Array.from(speech), levelDb: Float32Array.from(levels) };
}

function webrtcDecisions(webrtc: NonNullable<Peers["webrtc"]>, mode: number, samples: Float32Array): Decisions {
  const isSpeech = webrtc(mode, RATE);
  return decide(samples, WINDOW, (window) => isSpeech(Int16Array.from(window, (x) => Math.round(x * 32767))));
}

async function sileroDecisions(silero: NonNullable<Peers["silero"]>, samples: Float32Array): Promise<Decisions> {
  const probability = silero(RATE);
  const probabilities: number[] = [];
  for (let at = 0; at + SILERO_WINDOW <= samples.length; at += SILERO_WINDOW) {
    probabilities.push(await probability(samples.subarray(at, at + SILERO_WINDOW)));
  }
  let speaking = false;
  return decide(samples, SILERO_WINDOW, (_, i) => {
    speaking = (probabilities[i] ?? 0) >= (speaking ? SILERO_EXIT : SILERO_ENTER);
    return speaking;
  });
}

function decide(
  samples: Float32Array,
  window: number,
  isSpeech: (window: Float32Array, i: number) => boolean,
): Decisions {
  const count = Math.floor(samples.length / window);
  const speech = new Uint8Array(count);
  for (let i = 0; i < count; i++) speech[i] = isSpeech(samples.subarray(i * window, (i + 1) * window), i) ? 1 : 0;
  return { windowSamples: window, speech, levelDb: new Float32Array(count) };
}
