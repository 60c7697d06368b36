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

  /** Returns whether a metric has this name. */
  has(name: string): boolean {
    return this.#metrics.some(({ family }) => family.definition.name === name);
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
