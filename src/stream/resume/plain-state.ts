import type { Pipeline } from "../../pipeline/pipeline.ts";
import type { ChannelState } from "./resume-state.ts";

/** Prototypes of plain data, which a structured clone keeps and no other thread shares. */
const PLAIN: ReadonlySet<unknown> = new Set(
  [
    ...[Object, Array, Map, Set, Date, RegExp, ArrayBuffer, DataView, Boolean, Number, String, BigInt],
    ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
    ...[Float16Array, Float32Array, Float64Array, BigInt64Array, BigUint64Array],
  ].map((kind): unknown => kind.prototype),
);

/** Most values that are looked at. A state with more would not fit into a token. */
const MAX_VALUES = 20_000;
const MAX_DEPTH = 32;

/** Returns the state of a model as a checkpoint has it. */
export function savedModel(state: NonNullable<Pipeline["modelState"]>): NonNullable<ChannelState["model"]> {
  if (state === "pinned" || !isPlain(state.value)) return { kind: "lost" };
  return { kind: "value", value: state.value };
}

/** Returns whether the state of a model is plain data, which another process can go on from. */
export function isPlain(state: unknown): boolean {
  let values = 0;
  const seen = new Set<unknown>();
  const plain = (value: unknown, depth: number): boolean => {
    values += 1;
    if (typeof value === "function" || typeof value === "symbol") return false;
    if (typeof value !== "object" || value === null || seen.has(value)) return true;
    if (depth > MAX_DEPTH || values > MAX_VALUES) return false;
    seen.add(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && !PLAIN.has(prototype)) return false;
    if (ArrayBuffer.isView(value)) return value.buffer instanceof ArrayBuffer;
    return innerValues(value).every((inner) => plain(inner, depth + 1));
  };
  return plain(state, 0);
}

function innerValues(value: object): unknown[] {
  if (value instanceof Map) return [...value.keys(), ...value.values()];
  return value instanceof Set ? [...value] : Object.values(value);
}
