import * as v from "valibot";

import { type Results, type ServerMessage, serverMessageSchema } from "../../src/dialects/deepgram/messages.ts";
import { waitUntil } from "./wait.ts";

/** A client of Deepgram's streaming API on Bun's own WebSocket. Every message must be one of the schema. */
export class DeepgramClient implements Disposable {
  readonly messages: ServerMessage[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #socket: WebSocket;

  /** Connects. Rejects when the upgrade is refused. @param protocols subprotocols to offer */
  static async connect(url: string, query: string, protocols: string[] = []): Promise<DeepgramClient> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/listen?${query}`, protocols);
    const client = new DeepgramClient(socket);
    await waitUntil("the connection to open or close", () => socket.readyState !== WebSocket.CONNECTING);
    if (socket.readyState !== WebSocket.OPEN) throw new Error("the upgrade was refused");
    return client;
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      this.messages.push(v.parse(serverMessageSchema, JSON.parse(String(data))));
    });
    socket.addEventListener("close", ({ code, reason }) => {
      this.closed = { code, reason };
    });
  }

  /** The subprotocol that the server has chosen. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  get results(): Results[] {
    return this.messages.filter((message) => message.type === "Results");
  }

  get finals(): Results[] {
    return this.results.filter(({ is_final }) => is_final);
  }

  /** Sends audio in pieces of `bytes`. */
  audio(samples: Uint8Array, bytes = 3_200): void {
    for (let at = 0; at < samples.length; at += bytes) this.#socket.send(samples.subarray(at, at + bytes));
  }

  control(type: string): void {
    this.#socket.send(JSON.stringify({ type }));
  }

  /** Waits until messages fulfil a condition. */
  async until(what: string, holds: () => boolean): Promise<void> {
    await waitUntil(what, holds);
  }

  /** Asks for the end and waits for it. */
  async close(): Promise<{ readonly code: number; readonly reason: string }> {
    if (this.closed === undefined) this.control("CloseStream");
    return await this.end();
  }

  /** Waits for the server's close. */
  async end(): Promise<{ readonly code: number; readonly reason: string }> {
    await waitUntil("the close", () => this.closed !== undefined);
    return this.closed ?? { code: 1006, reason: "" };
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
