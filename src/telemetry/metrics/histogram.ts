/** A measurement that can be looked up in a trace. */
export interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
}

/**
 * Counts values by range, as Prometheus wants them: bucket i counts what is at most `bounds[i]`, the last one what is beyond all.
 * Nothing is allocated by an observation without an exemplar, and nothing is summed up before somebody asks.
 */
export class Histogram {
  readonly bounds: Float64Array;
  /** Observations of each range alone, not of it and those below. */
  readonly counts: Float64Array;
  /** The last measurement with a trace in each range. */
  readonly exemplars: (Exemplar | undefined)[];
  sum = 0;

  /** @param bounds upper ends of the ranges, ascending */
  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from(bounds);
    this.counts = new Float64Array(bounds.length + 1);
    this.exemplars = Array.from({ length: bounds.length + 1 }, () => undefined);
  }

  get count(): number {
    return this.counts.reduce((sum, count) => sum + count, 0);
  }

  /** @param traceId of the trace that was recorded with this value, if one was */
  observe(value: number, traceId?: string): void {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1;
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1;
    this.sum += value;
    if (traceId !== undefined) this.exemplars[bucket] = { traceId, value, timestamp: Date.now() / 1000 };
  }
}
