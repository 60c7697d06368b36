import { fromJSON } from "@grpc/proto-loader";

/** A method that gets one message and returns one. */
export interface UnaryMethod<Request, Response> {
  /** `/PACKAGE.SERVICE/METHOD` */
  readonly path: string;
  requestSerialize(request: Request): Buffer;
  responseDeserialize(bytes: Buffer): Response;
}

/** Metadata of a tensor, in requests and answers. */
export interface TensorMessage {
  readonly name: string;
  readonly datatype?: string;
  readonly shape?: readonly Long[];
  /** Elements in a list of their type. Absent if they are in the raw contents of the message. */
  readonly contents?: ContentsMessage | null;
}

/** Elements of a tensor, in the list that fits their type. */
export interface ContentsMessage {
  readonly bool_contents?: readonly boolean[];
  /** INT8, INT16, INT32. */
  readonly int_contents?: readonly number[];
  readonly int64_contents?: readonly Long[];
  /** UINT8, UINT16, UINT32. */
  readonly uint_contents?: readonly number[];
  readonly uint64_contents?: readonly Long[];
  readonly fp32_contents?: readonly number[];
  readonly fp64_contents?: readonly number[];
  readonly bytes_contents?: readonly Uint8Array[];
}

/** An integer of 64 bits: a number only where it is exact. */
type Long = number | string;

export interface InferRequestMessage {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: Readonly<Record<string, { readonly bool_param: boolean } | { readonly int64_param: number }>>;
  readonly inputs: readonly TensorMessage[];
  readonly outputs: readonly { readonly name: string }[];
  /** The bytes of each input, in the order of the inputs. */
  readonly raw_input_contents: readonly Uint8Array[];
}

export interface InferResponseMessage {
  readonly outputs?: readonly TensorMessage[];
  /** The bytes of each output, in the order of the outputs. Empty if the outputs have contents. */
  readonly raw_output_contents?: readonly Uint8Array[];
}

interface ModelMessage {
  readonly name: string;
  readonly version: string;
}

const single = (type: string, id: number): { type: string; id: number } => ({ type, id });
const repeated = (type: string, id: number): { rule: string; type: string; id: number } => ({
  rule: "repeated",
  type,
  id,
});

const tensorFields = { name: single("string", 1), datatype: single("string", 2), shape: repeated("int64", 3) };
const modelFields = { name: single("string", 1), version: single("string", 2) };

/**
 * The part of `grpc_predict_v2.proto` of the Open Inference Protocol that is used. It is code, and not a file, because
 * the executable has no files to read.
 */
const MESSAGES = {
  InferParameter: {
    oneofs: { parameter_choice: { oneof: ["bool_param", "int64_param", "string_param"] } },
    fields: {
      bool_param: single("bool", 1),
      int64_param: single("int64", 2),
      string_param: single("string", 3),
    },
  },
  InferTensorContents: {
    fields: {
      bool_contents: repeated("bool", 1),
      int_contents: repeated("int32", 2),
      int64_contents: repeated("int64", 3),
      uint_contents: repeated("uint32", 4),
      uint64_contents: repeated("uint64", 5),
      fp32_contents: repeated("float", 6),
      fp64_contents: repeated("double", 7),
      bytes_contents: repeated("bytes", 8),
    },
  },
  ModelInferRequest: {
    fields: {
      model_name: single("string", 1),
      model_version: single("string", 2),
      id: single("string", 3),
      parameters: { keyType: "string", type: "InferParameter", id: 4 },
      inputs: repeated("InferInputTensor", 5),
      outputs: repeated("InferRequestedOutputTensor", 6),
      raw_input_contents: repeated("bytes", 7),
    },
    nested: {
      InferInputTensor: { fields: tensorFields },
      InferRequestedOutputTensor: { fields: { name: single("string", 1) } },
    },
  },
  ModelInferResponse: {
    fields: { outputs: repeated("InferOutputTensor", 5), raw_output_contents: repeated("bytes", 6) },
    nested: { InferOutputTensor: { fields: { ...tensorFields, contents: single("InferTensorContents", 5) } } },
  },
  ModelReadyRequest: { fields: modelFields },
  ModelReadyResponse: { fields: { ready: single("bool", 1) } },
  ModelMetadataRequest: { fields: modelFields },
  ModelMetadataResponse: {
    fields: { inputs: repeated("TensorMetadata", 4) },
    nested: { TensorMetadata: { fields: tensorFields } },
  },
};

const unary = (name: string): { requestType: string; responseType: string; comment: string } => ({
  requestType: `${name}Request`,
  responseType: `${name}Response`,
  comment: "",
});

const METHODS = {
  ModelInfer: unary("ModelInfer"),
  ModelReady: unary("ModelReady"),
  ModelMetadata: unary("ModelMetadata"),
};

const SERVICE = "GRPCInferenceService";

const definition = fromJSON(
  { nested: { inference: { nested: { ...MESSAGES, [SERVICE]: { methods: METHODS } } } } },
  // Integers of 64 bits arrive as texts, since numbers do not hold them all.
  { keepCase: true, longs: String },
)[`inference.${SERVICE}`];

/** Calls of the Open Inference Protocol over gRPC. */
export const inferenceService = definition as unknown as {
  readonly ModelInfer: UnaryMethod<InferRequestMessage, InferResponseMessage>;
  readonly ModelReady: UnaryMethod<ModelMessage, { readonly ready?: boolean }>;
  readonly ModelMetadata: UnaryMethod<ModelMessage, { readonly inputs?: readonly TensorMessage[] }>;
};
