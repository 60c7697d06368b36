import { VAD_DEFAULTS } from "../../src/protocol/requests.ts";
import { Endpointer } from "../../src/vad/endpointer.ts";
import type { Decisions } from "./vad-detectors.ts";
import type { Scene, Span } from "./vad-scenes.ts";
import { RATE } from "./vad-speech.ts";

/** ms that a segment may begin before and end after the utterance that it is. */
const COLLAR_MS = 200;

export interface Score {
  readonly utterances: number;
  /** Utterances of which at least half lies in segments that hold no other utterance. */
  readonly found: number;
  readonly segments: number;
  /** Segments that lie within one utterance, give or take the collar. */
  readonly right: number;
  /** Seconds of segments outside of every utterance and its collar. */
  readonly falseSeconds: number;
}

/** What the endpointing policy with default settings makes of a VAD's decisions: `active` to `inactive`. */
export function segments(decisions: Decisions, length: number): Span[] {
  const found: Span[] = [];
  let start = 0;
  const endpointer = new Endpointer({ ...VAD_DEFAULTS }, RATE, decisions.windowSamples);
  const hear: Parameters<Endpointer["end"]>[1] = (transition) => {
    if (transition.type === "active") start = transition.position;
    if (transition.type === "inactive") found.push({ start, end: transition.position });
  };
  decisions.speech.forEach((speech, i) => endpointer.decide(speech === 1, decisions.levelDb[i] ?? 0, hear));
  endpointer.end(length, hear);
  return found;
}

export function score(scene: Scene, found: readonly Span[]): Score {
  const collar = (COLLAR_MS * RATE) / 1000;
  const wide = scene.speech.map(({ start, end }) => ({ start: start - collar, end: end + collar }));
  const alone = found.filter((segment) => scene.speech.filter((u) => overlap(u, segment) > 0).length === 1);
  return {
    utterances: scene.speech.length,
    found: scene.speech.filter((u) => 2 * covered(u, alone) >= u.end - u.start).length,
    segments: found.length,
    right: found.filter((segment) => wide.some((u) => u.start <= segment.start && segment.end <= u.end)).length,
    falseSeconds: found.reduce((sum, s) => sum + s.end - s.start - covered(s, wide), 0) / RATE,
  };
}

function overlap(a: Span, b: Span): number {
  return Math.max(0, Math.min(a.end, b.end) - Math.max(a.start, b.start));
}

function covered(span: Span, by: readonly Span[]): number {
  return by.reduce((sum, other) => sum + overlap(span, other), 0);
}
