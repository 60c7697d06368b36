/** Elements of a tensor, in row-major order. Texts are those of `BYTES`, in UTF-8. */
export type TensorData = NumberArray | readonly string[];

export type NumberArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Float16Array
  | Float32Array
  | Float64Array;

/** Name, type and shape of a tensor of the Open Inference Protocol. */
export interface TensorType {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
}

export interface Tensor extends TensorType {
  /** As many elements as the shape says. */
  readonly data: TensorData;
}

/** The arrays that hold the elements of each type. `BOOL` has a byte of 0 or 1 for each. */
export const ARRAYS = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Float16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

export type NumberType = keyof typeof ARRAYS;
export type Datatype = NumberType | "BYTES";

/** Returns true for a type of the protocol, other than those that no array holds, such as BF16. */
export function isDatatype(text: unknown): text is Datatype {
  return text === "BYTES" || (typeof text === "string" && Object.hasOwn(ARRAYS, text));
}

/** Returns the number of elements; undefined if the shape is none, or has more than 2^31 elements. */
export function elementsOf(shape: unknown): number | undefined {
  if (!Array.isArray(shape)) return undefined;
  let elements = 1;
  for (const size of shape as unknown[]) {
    if (typeof size !== "number" || !Number.isInteger(size) || size < 0) return undefined;
    elements *= size;
  }
  return elements <= MAX_ELEMENTS ? elements : undefined;
}

/** Returns true for a value that can be an element of this type: without a wrap-around, or an overflow to infinity. */
export function isElement(value: unknown, datatype: Datatype): value is number | string | boolean {
  if (datatype === "BYTES") return typeof value === "string";
  if (typeof value !== "number" && typeof value !== "boolean") return false;
  const number = Number(value);
  if (datatype === "INT64") return Number.isSafeInteger(number);
  if (datatype === "UINT64") return Number.isSafeInteger(number) && number >= 0;
  const [element] = ARRAYS[datatype].of(number);
  return datatype.startsWith("FP") ? Number.isFinite(element) : element === number;
}

const MAX_ELEMENTS = 2 ** 31;
