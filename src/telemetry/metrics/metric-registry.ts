import { Histogram } from "./histogram.ts";
import { Counter, Gauge } from "./instruments.ts";
import { type Instrument, MetricFamily } from "./metric-family.ts";

/** A registered metric with all its series. */
export interface Metric {
  readonly type: "counter" | "gauge" | "histogram";
  readonly family: MetricFamily<Instrument>;
}

/**
 * All metrics of one server. Nothing is global: each server, and each test, has its own registry.
 *
 * Values that can be read from their source on demand are set by a collector when the metrics are read and cost nothing
 * in between.
 */
export class MetricRegistry {
  readonly #metrics: Metric[] = [];
  readonly #gauges: MetricFamily<Gauge>[] = [];
  readonly #collectors = new Set<() => void>();

  counter<Label extends string = never>(
    name: string,
    help: string,
    labels: readonly Label[] = [],
  ): MetricFamily<Counter, Label> {
    const family = new MetricFamily<Counter, Label>({ name, help, labels }, () => new Counter());
    this.#metrics.push({ type: "counter", family });
    return family;
  }

  gauge<Label extends string = never>(
    name: string,
    help: string,
    labels: readonly Label[] = [],
  ): MetricFamily<Gauge, Label> {
    const family = new MetricFamily<Gauge, Label>({ name, help, labels }, () => new Gauge());
    this.#metrics.push({ type: "gauge", family });
    this.#gauges.push(family);
    return family;
  }

  /** @param bounds upper bounds of the buckets, ascending; the same for every series, or by the labels of a series */
  histogram<Label extends string = never>(
    name: string,
    help: string,
    bounds: readonly number[] | ((labels: Readonly<Record<Label, string>>) => readonly number[]),
    labels: readonly Label[] = [],
  ): MetricFamily<Histogram, Label> {
    const boundsOf = typeof bounds === "function" ? bounds : () => bounds;
    const family = new MetricFamily<Histogram, Label>({ name, help, labels }, (own) => new Histogram(boundsOf(own)));
    this.#metrics.push({ type: "histogram", family });
    return family;
  }

  /** Returns the name of a metric with whose series those of a metric of this type and name would be mixed up. */
  findClash(type: Metric["type"], name: string): string | undefined {
    const names = new Set(exposedNames(type, name));
    const clash = this.#metrics.find(({ type, family }) => {
      return exposedNames(type, family.definition.name).some((each) => names.has(each));
    });
    return clash?.family.definition.name;
  }

  /** Returns all metrics, in the order of their registration, with up-to-date values. */
  collect(): readonly Metric[] {
    for (const family of this.#gauges) for (const gauge of family.instruments()) gauge.set(0);
    for (const collector of this.#collectors) collector();
    return this.#metrics;
  }

  /**
   * Runs `collector` whenever the metrics are read. All gauges are 0 at that moment, so several collectors may add to
   * the same one.
   */
  onCollect(collector: () => void): Disposable {
    this.#collectors.add(collector);
    return { [Symbol.dispose]: () => void this.#collectors.delete(collector) };
  }
}

/** Endings of the names under which a metric is exposed. OpenMetrics has a counter without `_total`, too. */
const ENDINGS: Readonly<Record<Metric["type"], readonly string[]>> = {
  counter: ["", "_total"],
  gauge: [""],
  histogram: ["", "_bucket", "_sum", "_count"],
};

function exposedNames(type: Metric["type"], name: string): string[] {
  const base = type === "counter" ? name.replace(/_total$/, "") : name;
  return ENDINGS[type].map((ending) => base + ending);
}
