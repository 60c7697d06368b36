import { describeValue, excerpt } from "../lib/excerpt.ts";
import { DEFAULT_BUCKETS, MAX_LABEL_LENGTH, MAX_SERIES } from "../model/metric-fields.ts";
import type { DeclaredMetrics, MetricDeclaration, MetricLabels } from "../model/model.ts";
import type { RecordedSeries } from "../telemetry/metrics/declared-metrics.ts";

/** Different faults of the author that are printed. */
const MAX_COMPLAINTS = 32;

interface Series {
  readonly name: string;
  readonly labels: readonly string[];
  value: number;
  counts: number[] | undefined;
  changed: boolean;
}

type Method = keyof DeclaredMetrics;
const METHODS: Readonly<Record<MetricDeclaration["type"], Method>> = {
  counter: "add",
  gauge: "set",
  histogram: "observe",
};

/** The metrics of a model in its worker. A wrong use is printed once, for the author, and otherwise ignored. */
export class RecordedMetrics implements DeclaredMetrics {
  readonly #declared: ReadonlyMap<string, MetricDeclaration>;
  readonly #series = new Map<string, Series>();
  readonly #complaints = new Set<string>();
  readonly #onChange: () => void;
  #changed = false;

  /** @param onChange runs when there is something to take */
  constructor(declared: Readonly<Record<string, MetricDeclaration>>, onChange: () => void) {
    this.#declared = new Map(Object.entries(declared));
    this.#onChange = onChange;
  }

  /** Something was recorded and not taken. */
  get hasChanged(): boolean {
    return this.#changed;
  }

  add(name: string, labels: MetricLabels = {}, value = 1): void {
    const series = this.#find("add", name, labels, value);
    if (series !== undefined) series.value = sum(series.value, value);
  }

  set(name: string, labels: MetricLabels, value: number): void {
    const series = this.#find("set", name, labels, value);
    if (series !== undefined) series.value = value;
  }

  observe(name: string, labels: MetricLabels, value: number): void {
    const series = this.#find("observe", name, labels, value);
    if (series === undefined) return;
    const bounds = this.#declared.get(name)?.buckets ?? DEFAULT_BUCKETS;
    series.counts ??= Array.from({ length: bounds.length + 1 }, () => 0);
    const bucket = bounds.findIndex((bound) => value <= bound);
    series.counts[bucket < 0 ? bounds.length : bucket]! += 1;
    series.value = sum(series.value, value);
  }

  /** Returns what was recorded since the last time. */
  take(): RecordedSeries[] {
    const reports: RecordedSeries[] = [];
    for (const series of this.#series.values()) {
      if (!series.changed) continue;
      const { name, labels, value, counts } = series;
      reports.push({ name, labels, value, ...(counts && { counts }) });
      series.changed = false;
      if (this.#declared.get(name)?.type !== "gauge") series.value = 0;
      series.counts = undefined;
    }
    this.#changed = false;
    return reports;
  }

  /** Returns the series that a value belongs to, which is recorded now; undefined: it is not to be recorded. */
  #find(method: Method, name: string, labels: MetricLabels, value: number): Series | undefined {
    const declared = this.#declared.get(name);
    if (declared === undefined) {
      const names = [...this.#declared.keys()].join(", ") || "none, since the module declares no metrics";
      return this.#complain(`found the metric ${describeValue(name)}; allowed: ${names}`);
    }
    const meant = METHODS[declared.type];
    if (meant !== method) return this.#complain(`${name}: found ${method}(); allowed: ${meant}()`);
    if (!Number.isFinite(value) || (method === "add" && value < 0)) {
      const allowed = method === "add" ? "a finite number from 0" : "a finite number";
      return this.#complain(`${name}: found ${describeValue(value)}; allowed: ${allowed}`);
    }
    const values = this.#valuesOf(name, declared.labels ?? [], labels);
    return values && this.#open(name, values);
  }

  #valuesOf(name: string, declared: readonly string[], labels: MetricLabels): string[] | undefined {
    const given = Object.keys(labels ?? {});
    if (given.length !== declared.length || !declared.every((label) => typeof labels[label] === "string")) {
      const allowed = declared.length === 0 ? "none" : `strings for ${declared.join(", ")}`;
      return this.#complain(`${name}: found the labels ${excerpt(given.join(", ") || "none")}; allowed: ${allowed}`);
    }
    return declared.map((label) => {
      const value = labels[label]!;
      if (value.length <= MAX_LABEL_LENGTH) return value;
      this.#complain(`${name}: found ${value.length} characters of ${label}; allowed: ${MAX_LABEL_LENGTH}; it is cut`);
      return value.slice(0, MAX_LABEL_LENGTH).toWellFormed();
    });
  }

  #open(name: string, labels: readonly string[]): Series | undefined {
    const key = [name, ...labels].join("\0");
    let series = this.#series.get(key);
    if (series === undefined) {
      if (this.#series.size >= MAX_SERIES)
        return this.#complain(`${name}: allowed: ${MAX_SERIES} series of all metrics`);
      this.#series.set(key, (series = { name, labels, value: 0, counts: undefined, changed: false }));
    }
    series.changed = true;
    const wasChanged = this.#changed;
    this.#changed = true;
    if (!wasChanged) this.#onChange();
    return series;
  }

  #complain(problem: string): undefined {
    // What was found may differ each time.
    const key = problem.replace(/(?<=: )found .*?(?=; allowed: )/, "");
    if (this.#complaints.size >= MAX_COMPLAINTS || this.#complaints.has(key)) return undefined;
    this.#complaints.add(key);
    console.error(`metrics: ${problem}`);
  }
}

/** Adds numbers. A sum that is too large for a number is the largest one: the server takes no other. */
function sum(a: number, b: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, a + b));
}
