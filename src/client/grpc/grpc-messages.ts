import { contractOfGrpc, type Plain } from "../../dialects/grpc/contract.ts";
import { fromStruct, type Struct, toStruct } from "../../dialects/grpc/struct.ts";

/** An event as a WebSocket has it: a text message, and the binary message with its audio. */
export interface NativeEvent {
  readonly text: string;
  readonly audio?: ArrayBuffer;
}

/**
 * Returns the StreamRequest for a message of the native protocol.
 * @param pattern goes into a start
 */
export function grpcRequest(message: string | Uint8Array, pattern: string): Uint8Array {
  const { request: type } = contractOfGrpc();
  if (typeof message !== "string") return type.encode({ audio: message }).finish();
  const { request, options, ...fields } = JSON.parse(message) as Plain & { readonly request: string };
  const struct = isPlain(options) && { options: toStruct(options) };
  const value = request === "start" ? { ...fields, ...struct, pattern } : fields;
  // Fields that the contract does not know would be left out without a word, where the server names them.
  const fault = type.verify({ [request]: value });
  if (fault !== null) throw new TypeError(`${request}: ${fault}`);
  return type.encode({ [request]: value }).finish();
}

/** Returns the event of the native protocol for a StreamResponse. Throws for bytes that are none. */
export function nativeEvent(bytes: Uint8Array): NativeEvent {
  const { response } = contractOfGrpc();
  const message: Plain = response.toObject(response.decode(bytes), { longs: Number, defaults: true, oneofs: true });
  const type = message["event"];
  if (typeof type !== "string") throw new Error("a message without an event");
  const { output, audio, ...fields } = withoutNulls(message[type] as Plain);
  const event = { type, ...fields, ...(isPlain(output) && fromStruct(output as Struct)) };
  if (!isPlain(audio)) return { text: JSON.stringify(event) };
  const samples = audio["samples"] as Uint8Array;
  const described = { bytes: samples.length, sample_rate: audio["sample_rate"] };
  return { text: JSON.stringify({ ...event, audio: described }), audio: new Uint8Array(samples).buffer };
}

/** The fields that the message has: protobufjs has null for those that it has not, and names of oneofs. */
function withoutNulls(fields: Plain): Plain {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([key, value]) => value !== null && !key.startsWith("_"))
      .map(([key, value]) => [
        key,
        isPlain(value) && key !== "output" && key !== "audio" ? withoutNulls(value) : value,
      ]),
  );
}

function isPlain(value: unknown): value is Plain {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}
