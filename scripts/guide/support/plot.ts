// A figure of the guide: what measures its data, and what draws them. Each is one file in scripts/guide/plots/.

/** A specification of Vega-Lite. Its data are the rows, unless it has its own. */
export type Specification = Readonly<Record<string, unknown>>;

/** Where a measurement runs. */
export interface Place {
  /** Absolute path of the compiled `./streamer`. */
  readonly executable: string;
  /** Absolute path of the repository. */
  readonly root: string;
  /** A folder that is removed afterwards. */
  readonly scratch: string;
}

/** `Row` is a plain object of numbers, strings, booleans and nulls, as it stands in the data file. */
export interface Plot<Row extends object = object> {
  /** Drawn above the figure: what it shows, in one line. */
  readonly title: string;
  measure(place: Place): Promise<Row[]>;
  draw(rows: readonly Row[]): Specification;
}
