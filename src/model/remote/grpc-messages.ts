import type { ContentsMessage, InferRequestMessage, InferResponseMessage, TensorMessage } from "./grpc-service.ts";
import { tensorBytes, tensorFromBytes } from "./tensor-bytes.ts";
import { ARRAYS, type Datatype, elementsOf, isDatatype, type Tensor, type TensorType } from "./tensor.ts";
import { type EngineAnswer, EngineError, type EngineRequest } from "./transport.ts";

/** Returns the message of an inference, with the bytes of its inputs as they are in memory. */
export function inferRequest({ model, version, id, inputs, outputs, sequence }: EngineRequest): InferRequestMessage {
  return {
    model_name: model,
    model_version: version ?? "",
    id: id ?? "",
    parameters:
      sequence === undefined
        ? {}
        : {
            sequence_id: { int64_param: sequence.id },
            sequence_start: { bool_param: sequence.start },
            sequence_end: { bool_param: sequence.end },
          },
    inputs: inputs.map(({ name, datatype, shape }) => ({ name, datatype, shape })),
    outputs: (outputs ?? []).map((name) => ({ name })),
    raw_input_contents: inputs.map(tensorBytes),
  };
}

/** Returns the answer in a message. Throws EngineError if it breaks the protocol. */
export function inferAnswer({ outputs = [], raw_output_contents: raw = [] }: InferResponseMessage): EngineAnswer {
  if (raw.length > 0 && raw.length !== outputs.length) {
    throw new EngineError("bad_answer", `the answer has ${outputs.length} outputs and the bytes of ${raw.length}`);
  }
  return {
    outputs: outputs.map((output, index) => {
      const type = tensorType(output);
      const bytes = raw[index];
      if (bytes === undefined) return tensorFromContents(type, output.contents ?? {});
      // A plain view, since `slice` of a Buffer does not copy.
      return tensorFromBytes(type, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    }),
  };
}

/** Returns the name, type and shape of a tensor in a message. Throws EngineError if they are none of the protocol. */
export function tensorType({ name = "", datatype = "", shape = [] }: TensorMessage): TensorType {
  if (!isDatatype(datatype)) throw new EngineError("bad_answer", `the tensor "${name}" has the type "${datatype}"`);
  // Sizes beyond 2^53 are not exact here, and refused by all who use them.
  return { name, datatype, shape: shape.map(Number) };
}

function tensorFromContents(type: TensorType, contents: ContentsMessage): Tensor {
  const { name, datatype, shape } = type;
  const elements = listOf(datatype, contents);
  const found = `${elements?.length ?? "no list of"} elements of the type ${datatype}`;
  if (elements === undefined || elements.length !== elementsOf(shape)) {
    throw new EngineError(
      "bad_answer",
      `the output "${name}" has ${found}, which are not its shape [${shape.join(", ")}]`,
    );
  }
  if (datatype === "BYTES") {
    const decoder = new TextDecoder();
    return { ...type, data: (elements as Uint8Array[]).map((bytes) => decoder.decode(bytes)) };
  }
  return { ...type, data: numbers(datatype, elements as (number | string | boolean)[]) };
}

/** The list of a message that has the elements of a type. FP16 has none. */
function listOf(datatype: Datatype, contents: ContentsMessage): readonly unknown[] | undefined {
  switch (datatype) {
    case "BOOL":
      return contents.bool_contents ?? [];
    case "INT8":
    case "INT16":
    case "INT32":
      return contents.int_contents ?? [];
    case "INT64":
      return contents.int64_contents ?? [];
    case "UINT8":
    case "UINT16":
    case "UINT32":
      return contents.uint_contents ?? [];
    case "UINT64":
      return contents.uint64_contents ?? [];
    case "FP32":
      return contents.fp32_contents ?? [];
    case "FP64":
      return contents.fp64_contents ?? [];
    case "BYTES":
      return contents.bytes_contents ?? [];
    case "FP16":
      return undefined;
  }
}

function numbers(
  datatype: Exclude<Datatype, "BYTES">,
  elements: readonly (number | string | boolean)[],
): Tensor["data"] {
  switch (datatype) {
    case "INT64":
      return BigInt64Array.from(elements, BigInt);
    case "UINT64":
      return BigUint64Array.from(elements, BigInt);
    default:
      return new ARRAYS[datatype](elements.map(Number));
  }
}
