import type { Pattern } from "../pipeline/pattern.ts";
import { PATTERNS } from "../pipeline/patterns.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Config } from "./settings.ts";

/** Audio that a channel decodes beyond the end of a block or utterance before the job is cut, at most. */
const DECODE_SLACK_MS = 50;

/** A `start` without optional fields. */
const PLAIN_START = { interim_results: false, interim_interval_ms: 500 };

/** Milliseconds of audio that one channel may hold before it can be part of a job. */
export function maxHoldMs({ channel_budget_seconds }: Config["limits"]): number {
  return channel_budget_seconds * 1000 - DECODE_SLACK_MS;
}

/** Milliseconds of audio that one channel holds at most, with the configured settings, before it is part of a job. */
export function holdMs(config: Config): number {
  const context = { sampleRate: 16_000, keepsState: false, maxHoldMs: Infinity };
  const holds = Object.values(PATTERNS).map((pattern) => {
    return pattern.prepare(PLAIN_START, patternSection(config, pattern), context).holdsMs;
  });
  return Math.max(...holds);
}

/** The settings of a pattern. */
export function patternSection(config: Config, pattern: Pattern): object {
  const sections: Readonly<Record<string, object>> = { ...config };
  const section = sections[pattern.section];
  if (section === undefined) throw new Error(`the configuration has no section ${pattern.section}`);
  return section;
}

/** One sentence for each pattern that would refuse every stream with this configuration. */
export function streamProblems(config: Config): string[] {
  const context = { sampleRate: 16_000, keepsState: false, maxHoldMs: maxHoldMs(config.limits) };
  return Object.values(PATTERNS).flatMap((pattern) => {
    try {
      pattern.prepare(PLAIN_START, patternSection(config, pattern), context);
      return [];
    } catch (error) {
      if (error instanceof ProtocolError) return [error.message];
      throw error;
    }
  });
}
