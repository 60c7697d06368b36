/** A measurement with the trace that it belongs to. */
export interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

/**
 * Counts values in buckets: bucket i counts values in (bounds[i - 1], bounds[i]], the last one all above. Observing a
 * value without a trace allocates nothing, and the cumulative counts of Prometheus are computed when the metrics are
 * read.
 */
export class Histogram {
  readonly bounds: Float64Array;
  /** One a bucket, not cumulative. */
  readonly counts: Float64Array;
  /** The last exemplar of each bucket. */
  readonly exemplars: (Exemplar | undefined)[];
  sum = 0;

  /** @param bounds upper bounds of the buckets, ascending */
  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from(bounds);
    this.counts = new Float64Array(bounds.length + 1);
    this.exemplars = Array.from({ length: bounds.length + 1 }, () => undefined);
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** @param traceId of a recorded trace that the value belongs to */
  observe(value: number, traceId?: string): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
    if (traceId !== undefined) this.exemplars[bucket] = { traceId, value, timestamp: Date.now() / 1000 };
  }
}
