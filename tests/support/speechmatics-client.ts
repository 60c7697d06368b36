import * as v from "valibot";

import {
  type AddTranscript,
  type ServerMessage,
  serverMessageSchema,
} from "../../src/dialects/speechmatics/messages.ts";
import { waitUntil } from "./wait.ts";

/** `audio_format` of 16 kHz, 16 bit. */
export const RAW = { type: "raw", encoding: "pcm_s16le", sample_rate: 16_000 } as const;

/** A client of Speechmatics' realtime API on Bun's own WebSocket. Every message must be one of the schema. */
export class SpeechmaticsClient implements Disposable {
  readonly messages: ServerMessage[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #socket: WebSocket;
  /** Messages of audio that were sent. */
  #sent = 0;

  /** Connects. Rejects when the upgrade is refused. @param query begins with a question mark, unless it is empty */
  static async connect(url: string, query = ""): Promise<SpeechmaticsClient> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v2${query}`);
    const client = new SpeechmaticsClient(socket);
    await waitUntil("the connection to open or close", () => socket.readyState !== WebSocket.CONNECTING);
    if (socket.readyState !== WebSocket.OPEN) throw new Error("the upgrade was refused");
    return client;
  }

  /** Connects and starts a recognition. @param config fields of `transcription_config` */
  static async start(url: string, config: object = {}, audio_format: object = RAW): Promise<SpeechmaticsClient> {
    const client = await SpeechmaticsClient.connect(url);
    client.send({
      message: "StartRecognition",
      audio_format,
      transcription_config: { language: "en", model: "enhanced", ...config },
    });
    await waitUntil("an answer to StartRecognition", () => client.messages.length > 0);
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

  get finals(): AddTranscript[] {
    return this.messages.filter((message) => message.message === "AddTranscript");
  }

  /** Names of the messages that are no answers to audio. */
  get names(): string[] {
    return this.messages.map(({ message }) => message).filter((name) => name !== "AudioAdded");
  }

  /** Numbers of the messages of audio that the server has taken. */
  get added(): number[] {
    return this.messages.flatMap((message) => (message.message === "AudioAdded" ? [message.seq_no] : []));
  }

  send(message: object | string): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  /** Sends audio in pieces of `bytes`. */
  audio(samples: Uint8Array, bytes = 3_200): void {
    for (let at = 0; at < samples.length; at += bytes) {
      this.#socket.send(samples.subarray(at, at + bytes));
      this.#sent += 1;
    }
  }

  /** Asks for the end and waits for it. */
  async stop(): Promise<{ readonly code: number; readonly reason: string }> {
    this.send({ message: "EndOfStream", last_seq_no: this.#sent });
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
