import * as v from "valibot";

import { type ServerMessage, serverMessageSchema, type Turn } from "../../src/dialects/assemblyai/messages.ts";
import { waitUntil } from "./wait.ts";

/** A client of AssemblyAI's streaming API on Bun's own WebSocket. Every message must be one of the schema. */
export class AssemblyAiClient implements Disposable {
  readonly messages: ServerMessage[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #socket: WebSocket;

  /** Connects. Rejects when the upgrade is refused. @param headers of the upgrade */
  static async connect(
    url: string,
    query = "sample_rate=16000",
    headers: Record<string, string> = {},
  ): Promise<AssemblyAiClient> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v3/ws?${query}`, { headers });
    const client = new AssemblyAiClient(socket);
    await waitUntil("the connection to open or close", () => socket.readyState !== WebSocket.CONNECTING);
    if (client.messages.length === 0 && socket.readyState !== WebSocket.OPEN) {
      throw new Error("the upgrade was refused");
    }
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

  get turns(): Turn[] {
    return this.messages.filter((message) => message.type === "Turn");
  }

  /** The turns that have ended. */
  get finals(): Turn[] {
    return this.turns.filter(({ end_of_turn }) => end_of_turn);
  }

  /** Sends audio in pieces of `bytes`. */
  audio(samples: Uint8Array, bytes = 3_200): void {
    for (let at = 0; at < samples.length; at += bytes) this.#socket.send(samples.subarray(at, at + bytes));
  }

  control(type: string, fields: object = {}): void {
    this.text(JSON.stringify({ type, ...fields }));
  }

  text(text: string): void {
    this.#socket.send(text);
  }

  /** Asks for the end and waits for it. */
  async terminate(): Promise<{ readonly code: number; readonly reason: string }> {
    if (this.closed === undefined) this.control("Terminate");
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
