import * as v from "valibot";

import type { ModelModule } from "../model.ts";
import { REMOTE_METRICS } from "../remote/remote-metrics.ts";
import { concurrencyOf, findContradictions, remoteSettings } from "../remote/settings.ts";
import { describeSettings, findProblems } from "./setting-schema.ts";

/** A model on inference servers that speak the Open Inference Protocol. */
export const remote: ModelModule = {
  name: "remote",
  sampleRate: (settings) => v.parse(remoteSettings, settings).sample_rate,
  concurrency: (settings) => concurrencyOf(v.parse(remoteSettings, settings)),
  options: (settings) => Object.keys(v.parse(remoteSettings, settings).options ?? {}),
  idempotent: true,
  traces: true,
  metrics: REMOTE_METRICS,
  settings: describeSettings(remoteSettings),
  validate(settings) {
    const problems = findProblems(remoteSettings, settings);
    return problems.length > 0 ? problems : findContradictions(v.parse(remoteSettings, settings));
  },
  async load(settings, context) {
    const { openRemoteModel } = await import("../remote/open-remote.ts");
    return await openRemoteModel(v.parse(remoteSettings, settings), context);
  },
};

/** Returns the URLs of engines. @param settings valid and complete */
export function engineUrls(settings: Record<string, unknown>): readonly string[] {
  return v.parse(remoteSettings, settings).urls;
}
