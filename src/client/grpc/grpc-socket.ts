import {
  type CallOptions,
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  status,
  type StatusObject,
} from "@grpc/grpc-js";

import { STREAM_PATH } from "../../dialects/grpc/contract.ts";
import { untilAborted } from "../../lib/until-aborted.ts";
import { type ErrorRow, ERRORS } from "../../protocol/errors.ts";
import { ConnectionError } from "../errors.ts";
import type { ClientSocket } from "../socket.ts";
import type { ClientTls } from "../tls.ts";
import { grpcRequest, nativeEvent } from "./grpc-messages.ts";

/** Longest wait for the answer to a ping, in milliseconds. */
const PING_MS = 10_000;
/** Close codes of RFC 6455, section 7.4.1. */
const NORMAL = 1000;
const ABNORMAL = 1006;
const INTERNAL = 1011;
const HEALTH_PATH = "/grpc.health.v1.Health/Check";
/** Of the ServingStatus of health. */
const SERVING = 1;

export interface GrpcSocketOptions {
  /** HOST:PORT */
  readonly target: string;
  /** Of the stream. */
  readonly pattern: string;
  /** Metadata of the call. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Undefined: the connection is not encrypted. */
  readonly tls?: ClientTls | undefined;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal | undefined;
}

type Call = ClientDuplexStream<Uint8Array, Uint8Array>;

/**
 * A call of gRPC that looks like a WebSocket of the native protocol, as far as the client uses one: texts are requests
 * and events, binary messages audio. The status of the call becomes the code and the reason of a close.
 */
export class GrpcSocket extends EventTarget implements ClientSocket {
  onmessage: ClientSocket["onmessage"] = null;
  onclose: ClientSocket["onclose"] = null;
  readonly #channel: Client;
  readonly #call: Call;
  readonly #pattern: string;
  /** Rejects when the call has ended before it was connected. */
  readonly #ended = Promise.withResolvers<never>();
  #readyState: number = WebSocket.OPEN;
  #buffered = 0;

  /** Opens a call. Rejects with a ConnectionError (`cannot_connect`), or with the reason of the signal. */
  static async open(options: GrpcSocketOptions): Promise<GrpcSocket> {
    const { target, tls, signal } = options;
    signal?.throwIfAborted();
    const channel = new Client(target, credentialsOf(tls), {
      "grpc.max_receive_message_length": -1,
      "grpc.enable_http_proxy": 0,
      "grpc.enable_retries": 0,
      "grpc.use_local_subchannel_pool": 1,
    });
    const socket = new GrpcSocket(channel, options);
    try {
      // The call is refused first, with the reason, by a server that takes none.
      const opened = Promise.race([socket.#ended.promise, socket.#untilServing()]);
      await (signal === undefined ? opened : untilAborted(opened, signal));
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  private constructor(channel: Client, { pattern, headers = {} }: GrpcSocketOptions) {
    super();
    this.#channel = channel;
    this.#pattern = pattern;
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    const same = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#call = channel.makeBidiStreamRequest(STREAM_PATH, same, (bytes): Uint8Array => bytes, metadata);
    this.#call.on("data", (bytes: Uint8Array) => this.#receive(bytes));
    this.#call.on("status", (ended: StatusObject) => this.#end(...closeOf(ended)));
    // The status says the same.
    this.#call.on("error", () => {});
  }

  get readyState(): number {
    return this.#readyState;
  }

  /** Bytes that the flow control of HTTP/2 has not let go. */
  get bufferedAmount(): number {
    return this.#buffered;
  }

  send(data: string | Uint8Array): void {
    if (this.#readyState !== WebSocket.OPEN) return;
    const bytes = grpcRequest(data, this.#pattern);
    this.#buffered += bytes.length;
    this.#call.write(bytes, () => void (this.#buffered -= bytes.length));
  }

  /** Ends the call. Results that have not arrived are lost. */
  close(code = NORMAL, reason = ""): void {
    if (this.#readyState !== WebSocket.OPEN) return;
    this.#readyState = WebSocket.CLOSING;
    this.#call.cancel();
    queueMicrotask(() => this.#end(code, reason));
  }

  /** Asks for the health of the server, which every server answers when it can: the answer is the event `pong`. */
  ping(): void {
    void this.#health({ deadline: Date.now() + PING_MS }).then(
      () => this.dispatchEvent(new Event("pong")),
      () => undefined,
    );
  }

  /** Resolves when the server takes streams. Rejects with a ConnectionError. */
  async #untilServing(): Promise<void> {
    const found = await this.#health({});
    if (found === SERVING) return;
    throw new ConnectionError("cannot_connect", "the server takes no streams at the moment");
  }

  /** Returns the status of the service, SERVING also for servers that do not tell. Rejects with a ConnectionError. */
  #health(options: CallOptions): Promise<number> {
    const [nothing, same] = [(): Buffer => Buffer.alloc(0), (bytes: Buffer): Buffer => bytes];
    return new Promise((resolve, reject) => {
      this.#channel.makeUnaryRequest(HEALTH_PATH, nothing, same, {}, options, (error, answer) => {
        // HealthCheckResponse: `status` is the only field, and has one byte.
        if (error === null) resolve(answer?.[1] ?? 0);
        else if (error.code === status.UNIMPLEMENTED) resolve(SERVING);
        else reject(new ConnectionError("cannot_connect", error.details));
      });
    });
  }

  #receive(bytes: Uint8Array): void {
    if (this.#readyState !== WebSocket.OPEN) return;
    const { text, audio } = nativeEvent(bytes);
    this.onmessage?.({ data: text });
    if (audio !== undefined) this.onmessage?.({ data: audio });
  }

  #end(code: number, reason: string): void {
    if (this.#readyState === WebSocket.CLOSED) return;
    this.#readyState = WebSocket.CLOSED;
    this.#channel.close();
    this.#ended.promise.catch(() => {});
    this.#ended.reject(new ConnectionError("cannot_connect", reason));
    this.onclose?.({ code, reason });
  }
}

/** Returns code and reason of the close that a WebSocket would have in the place of a status. */
function closeOf({ code, details, metadata }: StatusObject): [number, string] {
  if (code === status.OK) return [NORMAL, "stop"];
  const [name] = metadata.get("streamer-error");
  if (typeof name !== "string" || !Object.hasOwn(ERRORS, name)) return [ABNORMAL, details];
  const { close = INTERNAL }: ErrorRow = ERRORS[name as keyof typeof ERRORS];
  return [close, `${name}: ${details}`];
}

function credentialsOf(tls: ClientTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const bytes = (pem: string | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem));
  return credentials.createSsl(bytes(tls.ca), bytes(tls.key), bytes(tls.cert), {
    rejectUnauthorized: tls.insecure !== true,
  });
}
