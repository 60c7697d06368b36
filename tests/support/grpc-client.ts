import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from "@grpc/grpc-js";

import { nativeEvent } from "../../src/client/grpc/grpc-messages.ts";
import { contractOfGrpc, STREAM_PATH } from "../../src/dialects/grpc/contract.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import { waitUntil, withTimeout } from "./wait.ts";

const same = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  /** Milliseconds after which the client gives up. */
  readonly deadlineMs?: number;
}

/** A client of gRPC with one connection. */
export class GrpcClient implements Disposable {
  readonly client: Client;

  constructor(port: number, ca?: string) {
    const secure = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca));
    this.client = new Client(`localhost:${port}`, secure, { "grpc.use_local_subchannel_pool": 1 });
  }

  /** Begins a call of the service. */
  call({ metadata = {}, deadlineMs }: CallOptions = {}): GrpcTestCall {
    const given = new Metadata();
    for (const [name, value] of Object.entries(metadata)) given.set(name, value);
    const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
    return new GrpcTestCall(this.client.makeBidiStreamRequest(STREAM_PATH, same, same, given, options));
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

/** One call of the service, with messages as they are on the wire. */
export class GrpcTestCall {
  readonly events: ServerEvent[] = [];
  readonly #call: ClientDuplexStream<Uint8Array, Uint8Array>;
  readonly #status = Promise.withResolvers<StatusObject>();

  constructor(call: ClientDuplexStream<Uint8Array, Uint8Array>) {
    this.#call = call;
    call.on("data", (bytes: Uint8Array) => this.events.push(JSON.parse(nativeEvent(bytes).text) as ServerEvent));
    call.on("status", (status: StatusObject) => this.#status.resolve(status));
    call.on("error", () => {});
  }

  /** Sends messages of the contract, as objects with its names. */
  write(...messages: readonly object[]): this {
    for (const message of messages) this.writeBytes(contractOfGrpc().request.encode(message).finish());
    return this;
  }

  writeBytes(bytes: Uint8Array): void {
    this.#call.write(bytes);
  }

  /** The client sends no more. */
  end(): this {
    this.#call.end();
    return this;
  }

  cancel(): void {
    this.#call.cancel();
  }

  async event(type: ServerEvent["type"]): Promise<ServerEvent> {
    let found: ServerEvent | undefined;
    await waitUntil(type, () => (found = this.events.find((event) => event.type === type)) !== undefined);
    return found as ServerEvent;
  }

  /** Waits for the end: the code of the status, its words, and the trailers of ours. */
  async status(): Promise<{ code: number; details: string; error?: string; pushback?: string }> {
    const { code, details, metadata } = await withTimeout("the end of a call", this.#status.promise);
    const [error] = metadata.get("streamer-error");
    const [pushback] = metadata.get("grpc-retry-pushback-ms");
    return {
      code,
      details,
      ...(error !== undefined && { error: String(error) }),
      ...(pushback !== undefined && { pushback: String(pushback) }),
    };
  }
}
