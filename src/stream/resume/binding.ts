import { createHash } from "node:crypto";

import type { Config } from "../../config/config.ts";
import { patternSection } from "../../config/stream-check.ts";
import type { Start } from "../../protocol/requests.ts";
import type { StreamPlan } from "../plan.ts";
import type { Binding } from "./resumption.ts";

/** Returns what the tokens of a stream belong to. */
export function bindingOf(start: Start, { pattern, model, format, prepared }: StreamPlan, config: Config): Binding {
  const { vad, interim_results, interim_interval_ms, options, flush_after_ms, timing } = start;
  const requested = { vad, interim_results, interim_interval_ms, options, flush_after_ms, timing };
  const { channels, sample_rate, bit_depth, is_float, encoding } = format;
  return {
    pattern: pattern.name,
    model: `${model.name} ${model.sampleRate}`,
    format: [channels, sample_rate, bit_depth, is_float, encoding].join(" "),
    settings: digest([
      requested,
      prepared.started,
      patternSection(config, pattern),
      ...(model.pinned ? [model.pinned] : []),
    ]),
  };
}

/** A digest of plain data that does not depend on the order of keys. */
function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value, sorted)).digest("base64url");
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
