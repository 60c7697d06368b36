import { JSON_LENGTH } from "../../../src/model/remote/oip-body.ts";
import { tensorBytes, tensorFromBytes } from "../../../src/model/remote/tensor-bytes.ts";
import type { NumberArray, Tensor, TensorType } from "../../../src/model/remote/tensor.ts";

/** A request as a fake engine has received it. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Headers;
  /** The JSON of the body; undefined: it has none. */
  readonly json: RequestJson | undefined;
  /** Inputs, with the elements that came as bytes. */
  readonly inputs: readonly Tensor[];
}

interface RequestJson {
  readonly id?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly inputs: readonly (TensorType & { parameters?: { binary_data_size?: number }; data?: unknown[] })[];
  readonly outputs?: readonly { name: string }[];
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** The engine closes the connection afterwards, without a word about it. */
  readonly closes?: boolean;
}

/** Parses one complete request. */
export function decodeRequest(bytes: Buffer): FakeRequest {
  const end = bytes.indexOf("\r\n\r\n");
  const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const [method = "", path = ""] = first.split(" ");
  const headers = new Headers(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  const body = bytes.subarray(end + 4);
  const length = Number(headers.get(JSON_LENGTH) ?? body.length);
  const json = length === 0 ? undefined : (JSON.parse(body.toString("utf8", 0, length)) as RequestJson);
  let at = length;
  const inputs = (json?.inputs ?? []).map(({ parameters, data, ...type }): Tensor => {
    const size = parameters?.binary_data_size;
    if (size === undefined) return { ...type, data: data as string[] };
    at += size;
    return tensorFromBytes(type, body.subarray(at - size, at));
  });
  return { method, path, headers, json, inputs };
}

/**
 * The answer of an engine that measures the input `audio`: `count` (INT64), `peak` (FP32) and `text` (BYTES), all of one
 * element. With an input `heard` it also counts on, in `heard_next`.
 */
export function inferenceReply(request: FakeRequest): Reply {
  const find = (name: string) => request.inputs.find((input) => input.name === name)?.data as NumberArray | undefined;
  const audio = Array.from(find("audio") ?? [], Number);
  const heard = find("heard");
  const outputs: Tensor[] = [
    { name: "count", datatype: "INT64", shape: [1, 1], data: BigInt64Array.of(BigInt(audio.length)) },
    { name: "peak", datatype: "FP32", shape: [1], data: Float32Array.of(Math.max(0, ...audio.map(Math.abs))) },
    { name: "text", datatype: "BYTES", shape: [1], data: [`${audio.length} Wörter`] },
  ];
  if (heard !== undefined) {
    const total = Float64Array.of(Number(heard[0]) + audio.length);
    outputs.push({ name: "heard_next", datatype: "FP64", shape: [1, 1], data: total });
  }
  return encodeOutputs(outputs, request.json?.parameters?.["binary_data_output"] === true);
}

export function encodeOutputs(outputs: readonly Tensor[], isBinary: boolean): Reply {
  if (!isBinary) {
    const listed = outputs.map(({ data, ...type }) => ({
      ...type,
      data: Array.from<unknown, unknown>(data as string[], jsonElement),
    }));
    return { status: 200, body: JSON.stringify({ model_name: "m", outputs: listed }) };
  }
  const parts = outputs.map(tensorBytes);
  const listed = outputs.map(({ name, datatype, shape }, i) => {
    return { name, datatype, shape, parameters: { binary_data_size: parts[i]?.length } };
  });
  const json = Buffer.from(JSON.stringify({ model_name: "m", outputs: listed }));
  return { status: 200, headers: { [JSON_LENGTH]: String(json.length) }, body: Buffer.concat([json, ...parts]) };
}

function jsonElement(element: unknown): unknown {
  return typeof element === "bigint" ? Number(element) : element;
}
