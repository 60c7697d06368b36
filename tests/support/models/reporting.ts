import type { LoadContext, Model, ModelModule } from "../../../src/model/model.ts";

/** What a call does, by the first sample of its audio. */
export const REPORTS = { count: 1, outage: 2, recovery: 3, misuse: 4 } as const;

/** Reports metrics, and that it cannot serve, when it is called. */
class Reporting implements Model<object> {
  readonly #context: LoadContext;

  constructor(context: LoadContext) {
    this.#context = context;
    context.metrics.set("ready", {}, 1);
  }

  infer(audio: Float32Array): object {
    const { metrics, unavailable } = this.#context;
    metrics.add("calls", { kind: "any" });
    metrics.observe("seconds", {}, 0.2);
    if (audio[0] === REPORTS.outage) unavailable("no engine answers");
    if (audio[0] === REPORTS.recovery) unavailable(undefined);
    if (audio[0] === REPORTS.misuse) metrics.add("calls", { secret: "x".repeat(100) });
    return {};
  }

  warmUp(): void {}
}

export default {
  name: "reporting",
  metrics: {
    calls: { type: "counter", help: "Calls.", labels: ["kind"] },
    ready: { type: "gauge", help: "Instances that are loaded." },
    seconds: { type: "histogram", help: "Durations.", buckets: [0.1, 1] },
  },
  load: (_settings: Record<string, unknown>, context: LoadContext) => new Reporting(context),
} satisfies ModelModule;
