import { excerpt } from "../../lib/excerpt.ts";
import { tensorBytes, tensorFromBytes } from "./tensor-bytes.ts";
import { ARRAYS, elementsOf, isDatatype, type Tensor, type TensorData, type TensorType } from "./tensor.ts";
import { type EngineAnswer, EngineError, type EngineRequest } from "./transport.ts";

/**
 * Header of requests and answers with binary tensors: the length of the JSON, which their bytes follow, in the order of
 * the tensors. See "Binary Tensor Data Extension" of the Open Inference Protocol.
 */
export const JSON_LENGTH = "inference-header-content-length";

export interface RequestBody {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Blob;
}

/** Returns the body of a request, with its tensors as bytes behind the JSON, or as numbers and texts within it. */
export function encodeRequest(request: EngineRequest, encoding: "binary" | "json"): RequestBody {
  const { id, inputs, outputs, sequence } = request;
  const isBinary = encoding === "binary";
  const parts = isBinary ? inputs.map(tensorBytes) : [];
  const parameters = {
    ...(isBinary && { binary_data_output: true }),
    ...(sequence && { sequence_id: sequence.id, sequence_start: sequence.start, sequence_end: sequence.end }),
  };
  const fields = [
    ...(id === undefined ? [] : [`"id":${JSON.stringify(id)}`]),
    ...(Object.keys(parameters).length === 0 ? [] : [`"parameters":${JSON.stringify(parameters)}`]),
    `"inputs":[${inputs.map((input, i) => encodeInput(input, parts[i])).join(",")}]`,
    ...(outputs === undefined ? [] : [`"outputs":${JSON.stringify(outputs.map((name) => ({ name })))}`]),
  ];
  const json = `{${fields.join(",")}}`;
  if (!isBinary) return { headers: { "content-type": "application/json" }, body: json };
  const length = String(Buffer.byteLength(json));
  return {
    headers: { "content-type": "application/octet-stream", [JSON_LENGTH]: length },
    // Copies each part once.
    body: new Blob([json, ...(parts as Uint8Array<ArrayBuffer>[])]),
  };
}

/** @param bytes those that follow the JSON; undefined: the elements are part of the JSON */
function encodeInput({ name, datatype, shape, data }: Tensor, bytes: Uint8Array | undefined): string {
  const type = `"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":[${shape.join(",")}]`;
  if (bytes !== undefined) return `{${type},"parameters":{"binary_data_size":${bytes.length}}}`;
  return `{${type},"data":${jsonElements(name, datatype, data)}}`;
}

function jsonElements(name: string, datatype: Tensor["datatype"], data: TensorData): string {
  if (datatype === "BYTES") return JSON.stringify(data);
  if (datatype === "BOOL") return JSON.stringify(Array.from(data as Uint8Array, (value) => value !== 0));
  // Also of BigInt, which JSON.stringify refuses.
  const text = (data as Float32Array).join(",");
  if (/[NI]/.test(text)) throw new EngineError("bad_answer", `the input "${name}" has a value that JSON cannot hold`);
  return `[${text}]`;
}

/**
 * Parses an answer.
 * @param jsonLength the value of its header `JSON_LENGTH`; null: all of it is JSON
 * @throws EngineError of fault `bad_answer`
 */
export function decodeAnswer(bytes: Uint8Array, jsonLength: string | null): EngineAnswer {
  const length = jsonLength === null ? bytes.length : Number(jsonLength);
  if (!/^\d+$/.test(jsonLength ?? "0") || length > bytes.length) {
    const found = `"${excerpt(jsonLength ?? "")}" for an answer of ${bytes.length} bytes`;
    throw new EngineError("bad_answer", `the header Inference-Header-Content-Length is ${found}`);
  }
  const answer = parseJson(bytes.subarray(0, length));
  if (!isObject(answer) || !Array.isArray(answer["outputs"])) {
    throw new EngineError("bad_answer", `the answer has no list of outputs`);
  }
  let at = length;
  const outputs = answer["outputs"].map((output: unknown): Tensor => {
    const type = readType(output, "output");
    const { parameters, data } = output as { parameters?: { binary_data_size?: unknown }; data?: unknown };
    const size = parameters?.binary_data_size;
    if (size === undefined) return tensorFromJson(type, data);
    const end = at + Number(size);
    if (!Number.isInteger(end) || Number(size) < 0 || end > bytes.length) {
      throw new EngineError(
        "bad_answer",
        `the output "${type.name}" has ${String(size)} bytes, of which some are missing`,
      );
    }
    const tensor = tensorFromBytes(type, bytes.subarray(at, end));
    at = end;
    return tensor;
  });
  return { outputs };
}

/** Parses the inputs of a model from its metadata. */
export function decodeInputs(bytes: Uint8Array): readonly TensorType[] {
  const metadata = parseJson(bytes);
  if (!isObject(metadata) || !Array.isArray(metadata["inputs"])) {
    throw new EngineError("bad_answer", "the metadata of the model has no list of inputs");
  }
  // The engine may have inputs of types that are never sent.
  return metadata["inputs"]
    .filter((input) => isObject(input) && isDatatype(input["datatype"]))
    .map((input) => {
      const { name, datatype, shape } = input as unknown as TensorType;
      return { name: String(name), datatype, shape: Array.isArray(shape) ? shape.map(Number) : [] };
    });
}

function readType(value: unknown, what: string): TensorType {
  if (!isObject(value) || typeof value["name"] !== "string") {
    throw new EngineError("bad_answer", `an ${what} has no name`);
  }
  const { name, datatype, shape } = value;
  const label = `the ${what} "${excerpt(name)}"`;
  if (!isDatatype(datatype)) throw new EngineError("bad_answer", `${label} has the type ${excerpt(String(datatype))}`);
  if (elementsOf(shape) === undefined) throw new EngineError("bad_answer", `${label} has no valid shape`);
  return { name, datatype, shape: shape as readonly number[] };
}

function tensorFromJson({ name, datatype, shape }: TensorType, data: unknown): Tensor {
  // Engines write the elements in a row, or nested like the shape.
  const elements = Array.isArray(data) ? (data.flat(shape.length) as unknown[]) : [];
  if (!Array.isArray(data) || elements.length !== elementsOf(shape)) {
    throw new EngineError("bad_answer", `the output "${name}" does not have the elements of its shape`);
  }
  if (datatype === "BYTES") return { name, datatype, shape, data: elements.map(String) };
  try {
    const isBig = datatype === "INT64" || datatype === "UINT64";
    const converted = isBig ? elements.map((value) => BigInt(value as number)) : elements.map(Number);
    return { name, datatype, shape, data: (ARRAYS[datatype] as typeof Float32Array).from(converted as number[]) };
  } catch {
    throw new EngineError("bad_answer", `the output "${name}" has elements that are no numbers`);
  }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new EngineError("bad_answer", "the answer is not JSON");
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
