import type { MetricValue } from "prom-client";

import { Histogram } from "./histogram.ts";

/** A series that only grows. */
export class Count {
  value = 0;

  add(amount = 1): void {
    this.value += amount;
  }
}

/** A series that goes up and down. */
export class Level {
  value = 0;

  set(value: number): void {
    this.value = value;
  }
}

export interface Definition<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

type Values = MetricValue<string> & { metricName?: string; exemplar?: unknown };

/** All series of one metric: one for each combination of label values, made when it is first asked for. */
export class Family<Series extends Count | Level | Histogram, Label extends string = string> {
  readonly definition: Definition<Label>;
  readonly #create: (labels: Readonly<Record<Label, string>>) => Series;
  readonly #series = new Map<string, { readonly labels: Readonly<Record<Label, string>>; readonly series: Series }>();

  constructor(definition: Definition<Label>, create: (labels: Readonly<Record<Label, string>>) => Series) {
    this.definition = definition;
    this.#create = create;
    // What has no labels is there from the start, so that its absence never has to be told from 0.
    if (definition.labels.length === 0) this.with({} as Record<Label, string>);
  }

  /** The series of these label values. Where it matters, keep it: this is a look-up. */
  with(labels: Readonly<Record<Label, string>>): Series {
    const key = this.definition.labels.map((label) => labels[label]).join("\0");
    let entry = this.#series.get(key);
    if (entry === undefined) this.#series.set(key, (entry = { labels, series: this.#create(labels) }));
    return entry.series;
  }

  /** All series that were ever asked for, with their labels. */
  entries(): Iterable<{ readonly labels: Readonly<Record<Label, string>>; readonly series: Series }> {
    return this.#series.values();
  }

  *each(): Generator<Series> {
    for (const { series } of this.#series.values()) yield series;
  }

  /** Sets all series to 0, before levels are read anew. */
  clear(): void {
    for (const { series } of this.#series.values()) if (series instanceof Level) series.set(0);
  }

  /** What prom-client writes. */
  values(): Values[] {
    const { name } = this.definition;
    const values: Values[] = [];
    for (const { labels, series } of this.#series.values()) {
      if (series instanceof Histogram) values.push(...histogramValues(name, labels, series));
      else values.push({ labels, value: series.value });
    }
    return values;
  }
}

function* histogramValues(name: string, labels: object, histogram: Histogram): Generator<Values> {
  let below = 0;
  for (const [i, count] of histogram.counts.entries()) {
    below += count;
    const le = histogram.bounds[i] ?? "+Inf";
    const exemplar = histogram.exemplars[i];
    yield {
      labels: { le, ...labels },
      value: below,
      metricName: `${name}_bucket`,
      ...(exemplar && {
        exemplar: {
          labelSet: { trace_id: exemplar.traceId },
          value: exemplar.value,
          timestamp: exemplar.timestamp,
        },
      }),
    };
  }
  yield { labels: { ...labels }, value: histogram.sum, metricName: `${name}_sum` };
  yield { labels: { ...labels }, value: below, metricName: `${name}_count` };
}
