import { VAD_DEFAULTS } from "../../../src/protocol/vad-settings.ts";
import { Endpointer } from "../../../src/vad/endpointer.ts";
import type { Decisions } from "./vad-detectors.ts";
import type { Scene, Span } from "./vad-scenes.ts";
import { RATE } from "./vad-speech.ts";

/** Milliseconds by which a segment may exceed its utterance at either end. */
const COLLAR_MS = 200;

export interface Score {
  readonly utterances: number;
  /** Utterances of which at least half is in segments without another utterance. */
  readonly found: number;
  readonly segments: number;
  /** Segments within one utterance and its collar. */
  readonly right: number;
  /** Seconds of segments outside all utterances and their collars. */
  readonly falseSeconds: number;
}

/** The spans from `active` to `inactive` that the endpointer reports with default settings. */
export function segments(decisions: Decisions, length: number): Span[] {
  const found: Span[] = [];
  let start = 0;
  const endpointer = new Endpointer({ ...VAD_DEFAULTS }, RATE, decisions.windowSamples);
  const onTransition: Parameters<Endpointer["end"]>[1] = (transition) => {
    if (transition.type === "active") start = transition.position;
    if (transition.type === "inactive") found.push({ start, end: transition.position });
  };
  decisions.speech.forEach((speech, i) => endpointer.decide(speech === 1, decisions.levelDb[i] ?? 0, onTransition));
  endpointer.end(length, onTransition);
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
