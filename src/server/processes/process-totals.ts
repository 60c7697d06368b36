import type { ProcessState } from "../../telemetry/metrics/families/processes.ts";
import { PROCESS_STATES, processFamilies } from "../../telemetry/metrics/families/processes.ts";
import { tlsFamilies } from "../../telemetry/metrics/families/tls.ts";
import type { LiveStats } from "../../telemetry/metrics/live-stats.ts";
import { mergeMetrics, type ProcessSnapshot, withoutGauges } from "../../telemetry/metrics/merged-metrics.ts";
import { MetricRegistry } from "../../telemetry/metrics/metric-registry.ts";
import { type MetricSnapshot, takeSnapshot } from "../../telemetry/metrics/metric-snapshot.ts";
import { takeProcessSnapshot } from "../../telemetry/metrics/process-metrics.ts";
import type { ServerChild } from "./server-child.ts";

/** The metrics of all processes of a server: those that live, those that have ended, and the supervisor. */
export class ProcessTotals {
  readonly #registry = new MetricRegistry();
  readonly families = { ...processFamilies(this.#registry), tls: tlsFamilies(this.#registry) };
  /** Counters and histograms of processes that have ended: a total never falls. */
  #ended: readonly MetricSnapshot[] = [];

  /** @param states returns the state of every process; read when the metrics are */
  constructor(states: () => readonly ProcessState[]) {
    this.#registry.onCollect(() => {
      const now = states();
      for (const state of PROCESS_STATES) {
        this.families.count.with({ state }).set(now.filter((other) => other === state).length);
      }
    });
    for (const cause of ["exit", "signal", "unresponsive"]) this.families.deaths.with({ cause });
  }

  /** A process has ended. What it counted stays. */
  add(metrics: readonly MetricSnapshot[]): void {
    this.#ended = mergeMetrics([
      { process: "", metrics: this.#ended },
      { process: "", metrics: withoutGauges(metrics) },
    ]);
  }

  /** Merges the newest metrics of all processes. */
  async merged(children: () => Iterable<ServerChild>): Promise<readonly MetricSnapshot[]> {
    const own = [...takeSnapshot(this.#registry), ...(await takeProcessSnapshot())];
    // From here on without a pause: a process that ends meanwhile moves from one part to the other.
    const living = [...children()].map(({ number, metrics }): ProcessSnapshot => ({ process: `${number}`, metrics }));
    return mergeMetrics([...living, { process: "", metrics: this.#ended }, { process: "supervisor", metrics: own }]);
  }
}

/** Adds up the numbers of several processes. Undefined without any. */
export function sumOfLive(all: readonly LiveStats[]): LiveStats | undefined {
  const [first, ...others] = all;
  // All have the same keys, and every value is a number or an object of numbers.
  return first && others.reduce((total, other) => addNumbers(total, other) as LiveStats, first);
}

function addNumbers(one: object, other: object): object {
  const others: Readonly<Record<string, unknown>> = { ...other };
  return Object.fromEntries(
    Object.entries(one).map(([key, value]: [string, unknown]) => {
      const more = others[key];
      if (typeof value === "number" && typeof more === "number") return [key, Math.round((value + more) * 1000) / 1000];
      return typeof value === "object" && value !== null ? [key, addNumbers(value, more as object)] : [key, value];
    }),
  );
}
