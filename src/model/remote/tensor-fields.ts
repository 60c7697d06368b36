import { describeValue } from "../../lib/excerpt.ts";
import type { RemoteSettings } from "./settings.ts";
import { ARRAYS, elementsOf, isElement, type NumberType, type Tensor, type TensorData } from "./tensor.ts";
import { type EngineAnswer, EngineError } from "./transport.ts";

type TensorSettings = Pick<
  RemoteSettings,
  "input" | "datatype" | "rank" | "length_input" | "inputs" | "options" | "output" | "fields"
>;

/** Conversion of the audio to input tensors, and of output tensors to fields of a result. */
export class TensorFields {
  readonly #settings: TensorSettings;
  readonly #constants: readonly Tensor[];
  /** Output tensors by field; undefined: all, by their own names. */
  readonly #fields: ReadonlyMap<string, string> | undefined;

  constructor(settings: TensorSettings) {
    this.#settings = settings;
    const { inputs = {}, output, fields = output === undefined ? undefined : { [output]: output } } = settings;
    this.#constants = Object.entries(inputs).map(([name, { datatype, shape, data }]) => {
      return { name, datatype, shape, data: arrayOf(datatype, data) };
    });
    this.#fields = fields && new Map(Object.entries(fields));
  }

  /** Returns the tensors of a call. Throws an error for the client if an option cannot be one. @param options of it */
  inputs(audio: Float32Array, options?: unknown): Tensor[] {
    const { input, datatype, rank, length_input: lengthInput } = this.#settings;
    const shape = [...Array<number>(rank - 1).fill(1), audio.length];
    const given = this.#optionTensors(options);
    const constants = this.#constants.filter(({ name }) => !given.some((tensor) => tensor.name === name));
    const tensors: Tensor[] = [
      { name: input, datatype, shape, data: convert(audio, datatype) },
      ...constants,
      ...given,
    ];
    if (lengthInput === undefined) return tensors;
    const data = BigInt64Array.of(BigInt(audio.length));
    return [...tensors, { name: lengthInput, datatype: "INT64", shape: this.#oneElement, data }];
  }

  /** The shape of a tensor with one element. */
  get #oneElement(): readonly number[] {
    return this.#settings.rank === 1 ? [1] : [1, 1];
  }

  /** Returns the options of the client that are inputs: texts, or of the type of the constant that they replace. */
  #optionTensors(options: unknown): Tensor[] {
    if (typeof options !== "object" || options === null) return [];
    const values: Readonly<Record<string, unknown>> = { ...options };
    const named = Object.entries(this.#settings.options ?? {}).filter(([option]) => values[option] !== undefined);
    return named.map(([option, name]) => {
      const { datatype = "BYTES", shape = this.#oneElement } = this.#constants.find((each) => each.name === name) ?? {};
      const value = values[option];
      if (elementsOf(shape) === 1 && isElement(value, datatype))
        return { name, datatype, shape, data: arrayOf(datatype, [value]) };
      const allowed = `a value for a tensor of the type ${datatype} with one element`;
      throw new Error(`options.${option}: found ${describeValue(value)}; allowed: ${allowed}`);
    });
  }

  /** Returns the names of the outputs that are wanted; undefined: all. @param others that are no fields */
  wanted(others: readonly string[] = []): readonly string[] | undefined {
    return this.#fields && [...new Set([...this.#fields.values(), ...others])];
  }

  /**
   * Returns the fields of a result. The field `audio` is sound at the sample rate of the model.
   * @param others outputs that are no fields
   * @throws EngineError if an output is missing
   */
  fields({ outputs }: EngineAnswer, others: readonly string[] = []): Record<string, unknown> {
    const tensors: (readonly [string, Tensor])[] =
      this.#fields === undefined
        ? outputs.filter(({ name }) => !others.includes(name)).map((output) => [output.name, output])
        : [...this.#fields].map(([field, name]) => [field, findOutput(outputs, name)]);
    return Object.fromEntries(
      tensors.map(([field, tensor]) => [field, field === "audio" ? samplesOf(tensor) : valueOf(tensor)]),
    );
  }
}

/** Throws EngineError if there is no such output. */
export function findOutput(outputs: readonly Tensor[], name: string): Tensor {
  const found = outputs.find((output) => output.name === name);
  if (found !== undefined) return found;
  const names = outputs.map((output) => output.name).join(", ") || "none";
  throw new EngineError("bad_answer", `the answer has no output "${name}"; it has ${names}`);
}

/** Most elements of a tensor of the state. Each stream has them, and each call carries them. */
const MAX_STATE_ELEMENTS = 2 ** 24;

/**
 * Returns a tensor of zeros, or empty texts. Dimensions that are free, which are -1, become 1.
 * @throws EngineError if it is too large
 */
export function zeros({ name, datatype, shape }: Omit<Tensor, "data">): Tensor {
  const sizes = shape.map((size) => (size < 0 ? 1 : size));
  const elements = elementsOf(sizes) ?? Infinity;
  if (elements > MAX_STATE_ELEMENTS) {
    const found = `the input "${name}" has the shape [${shape.join(", ")}]`;
    throw new EngineError("bad_answer", `${found}; allowed for a state: ${MAX_STATE_ELEMENTS} elements`);
  }
  const data = datatype === "BYTES" ? Array<string>(elements).fill("") : new ARRAYS[datatype](elements);
  return { name, datatype, shape: sizes, data };
}

function convert(audio: Float32Array, datatype: TensorSettings["datatype"]): TensorData {
  if (datatype === "FP32") return audio;
  if (datatype === "FP16") return Float16Array.from(audio);
  return Int16Array.from(audio, (sample) => Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))));
}

function arrayOf(datatype: Tensor["datatype"], data: readonly (number | string | boolean)[]): TensorData {
  if (datatype === "BYTES") return data.map(String);
  if (datatype === "INT64") return BigInt64Array.from(data, BigInt);
  if (datatype === "UINT64") return BigUint64Array.from(data, BigInt);
  return (ARRAYS[datatype] as typeof Float32Array).from(data, Number);
}

/** Returns a value for one element, and nested lists for several. A batch of one has no list of its own. */
function valueOf({ datatype, shape, data }: Tensor): unknown {
  const values = Array.from<unknown, unknown>(data as readonly string[], (element) => plain(datatype, element));
  const sizes = shape.slice(
    Math.max(
      0,
      shape.findIndex((size) => size !== 1),
    ),
  );
  if (values.length === 1) return values[0];
  // From the innermost dimension outwards.
  return sizes.slice(1).reduceRight<unknown[]>((list, size) => chunks(list, size), values);
}

function chunks(list: readonly unknown[], size: number): unknown[] {
  return size === 0 ? [] : Array.from({ length: list.length / size }, (_, i) => list.slice(i * size, (i + 1) * size));
}

function plain(datatype: Tensor["datatype"], element: unknown): unknown {
  if (datatype === "BOOL") return element !== 0;
  if (typeof element !== "bigint") return element;
  const number = Number(element);
  return Number.isSafeInteger(number) ? number : String(element);
}

/** Scales of whole numbers that are samples. */
const SCALES: Partial<Readonly<Record<NumberType, number>>> = { INT16: 32_768, FP16: 1, FP64: 1 };

function samplesOf({ name, datatype, data }: Tensor): Float32Array {
  if (data instanceof Float32Array) return data;
  const scale = datatype === "BYTES" ? undefined : SCALES[datatype];
  if (scale === undefined)
    throw new EngineError("bad_answer", `the output "${name}" of the type ${datatype} is no sound`);
  return Float32Array.from(data as Int16Array, (sample) => sample / scale);
}
