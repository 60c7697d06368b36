/** Something that `--set KEY=VALUE` sets. */
export interface Key {
  readonly description: string;
  /** The values, as in `ValueHint`. */
  readonly hint: string;
  /** What the values may be, in words. */
  readonly allowed: string;
}

/** Keys by name. The name of one that ends in a dot is the beginning of others, which are not known. */
export type Keys = ReadonlyMap<string, Key>;
