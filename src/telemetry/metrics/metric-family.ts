import type { MetricValue } from "prom-client";

import { Histogram } from "./histogram.ts";
import type { Counter, Gauge } from "./instruments.ts";

export type Instrument = Counter | Gauge | Histogram;

export interface MetricDefinition<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly Label[];
}

type Labels<Label extends string> = Readonly<Record<Label, string>>;

interface Series<Of extends Instrument, Label extends string> {
  readonly labels: Labels<Label>;
  readonly instrument: Of;
}

/** A sample in the form that prom-client writes. */
export type Sample = MetricValue<string> & { metricName?: string; exemplar?: unknown };

/** One metric: a series for each combination of label values, created on first use. */
export class MetricFamily<Of extends Instrument, Label extends string = string> {
  readonly definition: MetricDefinition<Label>;
  readonly #create: (labels: Labels<Label>) => Of;
  readonly #series = new Map<string, Series<Of, Label>>();

  constructor(definition: MetricDefinition<Label>, create: (labels: Labels<Label>) => Of) {
    this.definition = definition;
    this.#create = create;
    // A metric without labels starts at 0, so that queries need not handle its absence.
    if (definition.labels.length === 0) this.with({} as Labels<Label>);
  }

  /**
   * Returns the instrument of these label values. Callers on a hot path fetch it once and keep it: this is a look-up.
   */
  with(labels: Labels<Label>): Of {
    const key = this.definition.labels.map((label) => labels[label]).join("\0");
    let series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, (series = { labels, instrument: this.#create(labels) }));
    return series.instrument;
  }

  /** Iterates over all series that exist so far, with their labels. */
  entries(): Iterable<Series<Of, Label>> {
    return this.#series.values();
  }

  *instruments(): Generator<Of> {
    for (const { instrument } of this.#series.values()) yield instrument;
  }

  samples(): Sample[] {
    const samples: Sample[] = [];
    for (const { labels, instrument } of this.#series.values()) {
      if (instrument instanceof Histogram) samples.push(...histogramSamples(this.definition.name, labels, instrument));
      else samples.push({ labels, value: instrument.value });
    }
    return samples;
  }
}

function* histogramSamples(name: string, labels: object, histogram: Histogram): Generator<Sample> {
  let cumulative = 0;
  for (const [i, count] of histogram.counts.entries()) {
    cumulative += count;
    const le = histogram.bounds[i] ?? "+Inf";
    const exemplar = histogram.exemplars[i];
    yield {
      labels: { le, ...labels },
      value: cumulative,
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
  yield { labels: { ...labels }, value: cumulative, metricName: `${name}_count` };
}
