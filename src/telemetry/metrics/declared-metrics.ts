import { DEFAULT_BUCKETS, MAX_SERIES } from "../../model/metric-fields.ts";
import type { MetricDeclaration } from "../../model/model.ts";
import { Histogram } from "./histogram.ts";
import type { Instrument, MetricFamily } from "./metric-family.ts";
import type { MetricRegistry } from "./metric-registry.ts";

/** What a worker has recorded for one series since its last report; for a gauge, its value. */
export interface RecordedSeries {
  readonly name: string;
  /** Values of the declared labels, in order. */
  readonly labels: readonly string[];
  readonly value: number;
  /** Values of a histogram in each bucket, not cumulative. */
  readonly counts?: readonly number[];
}

interface Declared {
  readonly declaration: MetricDeclaration;
  readonly family: MetricFamily<Instrument>;
}

/** The metrics that models declare, as families of the registry. Models with the same declaration share a family. */
export class DeclaredFamilies {
  readonly #registry: MetricRegistry;
  readonly #families = new Map<string, Declared>();

  constructor(registry: MetricRegistry) {
    this.#registry = registry;
  }

  /** Returns the family of a metric, or why there is none. */
  declare(name: string, declaration: MetricDeclaration): MetricFamily<Instrument> | string {
    const suffix = declaration.type === "counter" && !name.endsWith("_total") ? "_total" : "";
    const exposed = `streamer_model_${name}${suffix}`;
    const known = this.#families.get(exposed);
    if (known !== undefined) {
      if (shapeOf(known.declaration) === shapeOf(declaration)) return known.family;
      return "another model, or an earlier version of this one, declares it differently";
    }
    const clash = this.#registry.findClash(declaration.type, exposed);
    if (clash === exposed) return `${exposed} is a metric of the server`;
    if (clash !== undefined) return `its series would be mixed up with those of ${clash}`;
    const family = this.#register(exposed, declaration);
    this.#families.set(exposed, { declaration, family });
    return family;
  }

  #register(exposed: string, { type, help, labels = [], buckets }: MetricDeclaration): MetricFamily<Instrument> {
    const all = ["model", ...labels];
    if (type === "counter") return this.#registry.counter(exposed, help, all);
    if (type === "gauge") return this.#registry.gauge(exposed, help, all);
    return this.#registry.histogram(exposed, help, buckets ?? DEFAULT_BUCKETS, all);
  }
}

function shapeOf({ type, labels = [], buckets = DEFAULT_BUCKETS }: MetricDeclaration): string {
  return JSON.stringify([type, labels, type === "histogram" ? buckets : []]);
}

/** The declared metrics of one pool of a model. Gauges of its workers add up, and end with them. */
export class ReportedMetrics implements Disposable {
  readonly #model: string;
  readonly #declared = new Map<string, Declared>();
  readonly #gauges = new Map<number, Map<string, RecordedSeries>>();
  readonly #series = new Set<string>();
  readonly #observed: Disposable;

  /** @param refuse receives each metric that cannot be kept, and why */
  constructor(
    model: string,
    declared: Readonly<Record<string, MetricDeclaration>>,
    { registry, families }: { readonly registry: MetricRegistry; readonly families: DeclaredFamilies },
    refuse: (metric: string, reason: string) => void,
  ) {
    this.#model = model;
    for (const [name, declaration] of Object.entries(declared)) {
      const family = families.declare(name, declaration);
      if (typeof family === "string") refuse(name, family);
      else {
        this.#declared.set(name, { declaration, family });
        // It starts at 0, so that queries need not handle its absence. The values of labels are not known.
        if (family.definition.labels.length === 1) family.with({ model });
      }
    }
    this.#observed = registry.onCollect(() => this.#collect());
  }

  /** Adds a report of a worker. @param isCurrent false: another worker has taken its place, so that gauges are over */
  add(worker: number, report: readonly RecordedSeries[], isCurrent: boolean): void {
    for (const series of report) {
      const declared = this.#declared.get(series.name);
      if (declared === undefined || !this.#admits(declared, series)) continue;
      if (declared.declaration.type === "gauge") {
        if (isCurrent) this.#setGauge(worker, series);
      } else count(declared.family.with(this.#labelsOf(declared, series)), series);
    }
  }

  /** A worker has ended, or another one begins in its place. */
  workerEnded(worker: number): void {
    this.#gauges.delete(worker);
  }

  [Symbol.dispose](): void {
    this.#observed[Symbol.dispose]();
  }

  #collect(): void {
    for (const gauges of this.#gauges.values()) {
      for (const series of gauges.values()) {
        const declared = this.#declared.get(series.name)!;
        const gauge = declared.family.with(this.#labelsOf(declared, series));
        if (!(gauge instanceof Histogram)) gauge.add(series.value);
      }
    }
  }

  #setGauge(worker: number, series: RecordedSeries): void {
    let gauges = this.#gauges.get(worker);
    if (gauges === undefined) this.#gauges.set(worker, (gauges = new Map()));
    gauges.set(keyOf(series), series);
  }

  /** Returns whether the series has the labels that are declared, and is among the first ones. */
  #admits({ declaration: { labels = [] } }: Declared, series: RecordedSeries): boolean {
    if (series.labels.length !== labels.length) return false;
    const key = keyOf(series);
    if (!this.#series.has(key) && this.#series.size >= MAX_SERIES) return false;
    this.#series.add(key);
    return true;
  }

  #labelsOf({ declaration: { labels = [] } }: Declared, series: RecordedSeries): Record<string, string> {
    return Object.fromEntries([["model", this.#model], ...labels.map((label, i) => [label, series.labels[i]!])]);
  }
}

function count(instrument: Instrument, { value, counts }: RecordedSeries): void {
  if (!(instrument instanceof Histogram)) return instrument.add(Math.max(0, value));
  if (counts?.length !== instrument.counts.length) return;
  for (const [i, added] of counts.entries()) instrument.counts[i]! += added;
  instrument.sum += value;
}

function keyOf({ name, labels }: RecordedSeries): string {
  return [name, ...labels].join("\0");
}
