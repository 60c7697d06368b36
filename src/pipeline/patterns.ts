import type { VadSettings } from "../protocol/requests.ts";
import { longestBeginningMs } from "../vad/endpointer.ts";
import { energy } from "../vad/energy.ts";
import type { Pipeline, PipelineOptions } from "./pipeline.ts";
import { SegmentedPipeline } from "./segmented.ts";
import { SimplePipeline } from "./simple.ts";
import { StatefulPipeline } from "./stateful.ts";

/** What a pattern needs to know of a stream, beside the options that all have. */
export interface PatternOptions extends PipelineOptions {
  readonly blockMs: number;
  readonly vad: VadSettings;
  /** The model carries state. One that does not can be called in turn all the same. */
  readonly stateful: boolean;
  /** Milliseconds of audio between interims; undefined: none were asked for. */
  readonly interimIntervalMs?: number;
}

export interface Pattern {
  /** The last part of the route. */
  readonly name: string;
  /** One sentence or two for the API description. */
  readonly description: string;
  /** The pattern listens for speech: `vad` may be set in `start`. */
  readonly usesVad: boolean;
  /** The model is called in turn, each call with the state of the one before: only here can a stateful model be used. */
  readonly keepsState: boolean;
  /** Milliseconds of audio that one channel may have to hold before any of it can go to the model. */
  holdsMs(options: Pick<PatternOptions, "blockMs" | "vad">): number;
  /** A pipeline for one channel. */
  create(options: PatternOptions): Pipeline;
}

const samples = (ms: number, sampleRate: number): number => Math.max(1, Math.round((ms * sampleRate) / 1000));

/** The patterns by the last part of their route, `/api/v1/NAME`. */
export const PATTERNS: Readonly<Record<string, Pattern>> = {
  simple: {
    name: "simple",
    description: "Every block of audio goes through the model; results are `segment` events without `is_final`.",
    usesVad: false,
    keepsState: false,
    holdsMs: ({ blockMs }) => blockMs,
    create: (options) => new SimplePipeline({ ...options, blockSamples: samples(options.blockMs, options.sampleRate) }),
  },
  stateful: {
    name: "stateful",
    description:
      "Every block of audio goes through the model in turn, each call with the state that the last one returned; results are " +
      "`segment` events without `is_final`, and `data` at the end of the stream.",
    usesVad: false,
    keepsState: true,
    holdsMs: ({ blockMs }) => blockMs,
    create: (options) =>
      new StatefulPipeline({
        ...options,
        blockSamples: samples(options.blockMs, options.sampleRate),
      }),
  },
  segmented: {
    name: "segmented",
    description: "Voice activity detection finds utterances, and the model runs on those.",
    usesVad: true,
    keepsState: false,
    holdsMs: ({ vad }) => vad.pre_roll_ms + Math.max(vad.max_utterance_ms, longestBeginningMs(vad, energy.windowMs)),
    create: (options) =>
      new SegmentedPipeline({
        ...options,
        vad: energy.create(options.sampleRate, options.vad),
        settings: options.vad,
        ...(options.interimIntervalMs !== undefined && {
          interimEvery: samples(options.interimIntervalMs, options.sampleRate),
        }),
      }),
  },
};
