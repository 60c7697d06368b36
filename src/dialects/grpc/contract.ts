import protobuf from "protobufjs";

import definitions from "../../protocol/proto/streamer/v1/streamer.proto" with { type: "text" };

/** Package and service, as clients name them. */
export const SERVICE = "streamer.v1.Streamer";
/** Path of the only method, which is a call with streams in both directions. */
export const STREAM_PATH = `/${SERVICE}/Stream`;

const STRUCT = "google/protobuf/struct.proto";

/** A message of protobuf as a plain object with the names of the contract. */
export type Plain = Readonly<Record<string, unknown>>;

/** Reads and writes the messages of the contract. Made once, when gRPC is used for the first time. */
export interface Contract {
  readonly root: protobuf.Root;
  readonly request: protobuf.Type;
  readonly response: protobuf.Type;
}

let contract: Contract | undefined;

/** Returns the contract of `streamer.proto`. */
export function contractOfGrpc(): Contract {
  contract ??= openContract();
  return contract;
}

function openContract(): Contract {
  const root = new protobuf.Root();
  const struct = protobuf.common.get(STRUCT);
  if (struct?.nested === undefined) throw new Error(`protobufjs has no ${STRUCT}`);
  root.addJSON(struct.nested);
  protobuf.parse(definitions, root, { keepCase: true });
  root.resolveAll();
  const lookup = (name: string): protobuf.Type => root.lookupType(`streamer.v1.${name}`);
  return { root, request: lookup("StreamRequest"), response: lookup("StreamResponse") };
}
