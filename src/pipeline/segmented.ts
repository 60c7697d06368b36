import { ProtocolError } from "../protocol/errors.ts";
import type { VadSettings } from "../protocol/vad-settings.ts";
import { DETECTORS } from "../vad/detectors.ts";
import { Endpointer, longestBeginningMs } from "../vad/endpointer.ts";
import { QuietSpeech } from "../vad/quiet-speech.ts";
import { effectiveVad, startedVad } from "./effective-vad.ts";
import type { Pattern, PatternContext } from "./pattern.ts";
import { PinnedUtterances } from "./pinned-utterances.ts";
import { SegmentedPipeline } from "./segmented-pipeline.ts";
import { readSegmentedState } from "./segmented-state.ts";
import { WholeUtterances } from "./whole-utterances.ts";

/** The `vad` section of the configuration: what a client may set, and the detector. */
interface SegmentedSettings extends VadSettings {
  readonly detector: string;
}

/**
 * Voice activity detection finds utterances, and the model runs on those. With interim results it also runs on the part
 * of an utterance that has been spoken so far. A pinned model is given an utterance step by step instead.
 */
export const segmented: Pattern = {
  name: "segmented",
  description: "Voice activity detection finds utterances, and the model runs on those.",
  keepsState: false,
  usesVad: true,
  takesPinned: true,
  section: "vad",
  prepare(start, { detector: name, ...defaults }: SegmentedSettings, { sampleRate, maxHoldMs, pinned }) {
    const detector = DETECTORS[name];
    if (detector === undefined) throw new Error(`no detector is called ${name}`);
    const vad = effectiveVad(start, defaults, detector);
    const holdsMs = heldMs(vad, detector.windowMs, maxHoldMs, pinned);
    const samples = (ms: number): number => Math.max(1, Math.round((ms * sampleRate) / 1000));
    const interimEvery = start.interim_results ? samples(start.interim_interval_ms) : Infinity;
    // The steps of a pinned model are counted where they are made, and so is the full length of an utterance.
    const rules = pinned === undefined ? vad : { ...vad, max_utterance_ms: Infinity };
    return {
      holdsMs,
      started: { vad: startedVad(vad, detector), interim_interval_ms: start.interim_interval_ms },
      finalFields: { is_final: true },
      create: (answers, saved) => {
        const instance = detector.create(sampleRate, vad);
        const endpointer = new Endpointer(rules, sampleRate, instance.windowSamples);
        const quiet = detector.usesFloor ? new QuietSpeech(vad, detector.windowMs) : undefined;
        const utterances =
          pinned === undefined
            ? new WholeUtterances(answers, endpointer, interimEvery)
            : new PinnedUtterances(answers, endpointer, {
                step: samples(pinned.stepMs),
                postRoll: Math.round((vad.post_roll_ms * sampleRate) / 1000),
                maxUtterance: samples(vad.max_utterance_ms),
                interimEvery,
              });
        const pipeline = new SegmentedPipeline(answers, instance, endpointer, utterances, quiet);
        try {
          if (saved !== undefined) pipeline.restore(readSegmentedState(saved.state, instance.windowSamples));
        } catch (error) {
          pipeline[Symbol.dispose]();
          throw error;
        }
        return pipeline;
      },
    };
  },
};

/**
 * Milliseconds of audio that one channel holds before it can be part of a job, at most. Throws ProtocolError when that is
 * more than it may hold.
 * @param pinned the model gets an utterance as it is spoken, and only what may be a pause waits
 */
function heldMs(vad: VadSettings, windowMs: number, maxHoldMs: number, pinned: PatternContext["pinned"]): number {
  const beginningMs = longestBeginningMs(vad, windowMs);
  const [key, longestMs] =
    pinned === undefined
      ? (["max_utterance_ms", vad.pre_roll_ms + Math.max(vad.max_utterance_ms, beginningMs)] as const)
      : (["min_silence_ms", Math.max(vad.pre_roll_ms + beginningMs, vad.min_silence_ms + pinned.stepMs)] as const);
  // The window that ends an utterance is decided when all of it is there.
  const holdsMs = longestMs + windowMs;
  if (holdsMs <= maxHoldMs) return holdsMs;
  const others = pinned === undefined ? `vad.pre_roll_ms ${vad.pre_roll_ms}` : `model.step_ms ${pinned.stepMs}`;
  const message =
    `vad.${key}: found ${vad[key]}; allowed: with ${others} ` +
    `and a window of the detector at most ${maxHoldMs}, which one channel may hold`;
  throw new ProtocolError("invalid_request", message, { param: `vad.${key}` });
}
