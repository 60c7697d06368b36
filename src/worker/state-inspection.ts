/** Prototypes that a structured clone keeps. */
const KEPT: ReadonlySet<unknown> = new Set(
  [
    null,
    ...[
      Object,
      Array,
      Map,
      Set,
      Date,
      RegExp,
      ArrayBuffer,
      SharedArrayBuffer,
      DataView,
      Boolean,
      Number,
      String,
      BigInt,
    ],
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
    ...[Float16Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array],
    ...[Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError],
  ].map((kind) => (typeof kind === "function" ? kind.prototype : kind)),
);

const MAX_DEPTH = 8;
const MAX_VALUES = 10_000;

/**
 * Describes the first value in a state that a structured clone changes or refuses: an object of a class, which loses its
 * methods, or a function. Returns undefined when there is none, as far as a bounded search finds.
 */
export function findUncloned(state: unknown): string | undefined {
  const seen = new Set<unknown>();
  const search = (value: unknown, path: string, depth: number): string | undefined => {
    if (typeof value === "function") return `${path} is a function`;
    if (typeof value === "symbol") return `${path} is a symbol`;
    if (typeof value !== "object" || value === null || seen.has(value)) return undefined;
    if (depth > MAX_DEPTH || seen.size >= MAX_VALUES) return undefined;
    seen.add(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (!KEPT.has(prototype)) return `${path} is an object of the class ${className(value)}`;
    if (ArrayBuffer.isView(value)) return undefined;
    for (const [name, inner] of entriesOf(value)) {
      const found = search(inner, `${path}${name}`, depth + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return search(state, "state", 0);
}

function className(value: object): string {
  const { constructor } = value as { constructor?: { name?: unknown } };
  return typeof constructor?.name === "string" && constructor.name !== "" ? constructor.name : "without a name";
}

/** Iterates over what an object holds, each with the end of its path. */
function* entriesOf(value: object): Generator<[name: string, value: unknown]> {
  if (value instanceof Map) {
    for (const [key, inner] of value) yield [`.get(${String(key)})`, inner];
  } else if (value instanceof Set) {
    for (const inner of value) yield [" (an element)", inner];
  } else {
    for (const [key, inner] of Object.entries(value)) yield [Array.isArray(value) ? `[${key}]` : `.${key}`, inner];
  }
}
