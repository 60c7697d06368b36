import * as v from "valibot";

import { serverMessageSchema } from "../../src/dialects/openai/messages.ts";
import { waitUntil } from "./wait.ts";

type ServerMessage = v.InferOutput<typeof serverMessageSchema>;
type Type = ServerMessage["type"];

const COMPLETED = "conversation.item.input_audio_transcription.completed";

/** A client of OpenAI's Realtime API on Bun's own WebSocket. Every message must be one of the schema. */
export class OpenAiClient implements Disposable {
  readonly messages: ServerMessage[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #socket: WebSocket;

  /** Connects. Rejects when the upgrade is refused. @param protocols subprotocols to offer */
  static async connect(url: string, query = "", protocols: string[] = []): Promise<OpenAiClient> {
    const address = `${url.replace(/^http/, "ws")}/v1/realtime?intent=transcription&${query}`;
    const socket = new WebSocket(address, protocols);
    const client = new OpenAiClient(socket);
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

  /** Transcripts of items that have ended. */
  get transcripts(): string[] {
    return this.of(COMPLETED).map(({ transcript }) => transcript);
  }

  /** The messages of one type. */
  of<Each extends Type>(type: Each): Extract<ServerMessage, { type: Each }>[] {
    return this.messages.filter((message): message is Extract<ServerMessage, { type: Each }> => message.type === type);
  }

  send(type: string, fields: object = {}): void {
    this.#socket.send(JSON.stringify({ type, ...fields }));
  }

  /** Sends bytes as they are. */
  raw(message: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(message);
  }

  /** Changes `session.audio.input`. */
  update(input: object): void {
    this.send("session.update", { session: { type: "transcription", audio: { input } } });
  }

  /** Sends audio in pieces of `bytes`. */
  audio(samples: Uint8Array, bytes = 2_400): void {
    for (let at = 0; at < samples.length; at += bytes) {
      const audio = Buffer.from(samples.subarray(at, at + bytes)).toString("base64");
      this.send("input_audio_buffer.append", { audio });
    }
  }

  /** Waits until messages fulfil a condition. */
  async until(what: string, holds: () => boolean): Promise<void> {
    await waitUntil(what, holds);
  }

  /** Waits until there are so many messages of a type. */
  async have(type: Type, count = 1): Promise<void> {
    await waitUntil(`${count} of ${type}`, () => this.of(type).length >= count);
  }

  /** Waits for so many transcripts. */
  async completed(count: number): Promise<void> {
    await this.have(COMPLETED, count);
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
