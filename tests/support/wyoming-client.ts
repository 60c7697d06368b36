import type { Socket } from "node:net";

import { type Connect, type ConnectionEnd, tcp } from "./raw-connection.ts";
import { withTimeout } from "./wait.ts";

/** An event of the server. */
export interface ReceivedEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The format of 16 kHz, 16 bit, mono as Wyoming states it. */
export const CHUNK_FORMAT = { rate: 16_000, width: 2, channels: 1 };

/** The bytes of an event as clients written in Python send it: its data behind the line. */
export function eventBytes(type: string, data: object = {}, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const behind = Buffer.from(JSON.stringify(data));
  const line = { type, version: "1.7.2", data_length: behind.length, payload_length: payload.length };
  return Buffer.concat([Buffer.from(`${JSON.stringify(line)}\n`), behind, payload]);
}

/** A client of the Wyoming protocol on a bare socket, written without the server's code. */
export class WyomingClient implements Disposable {
  readonly events: ReceivedEvent[] = [];
  readonly #socket: Socket;
  #unread = Buffer.alloc(0);
  #end: ConnectionEnd | undefined;
  #change = Promise.withResolvers<void>();

  static async connect(port: number, connect: Connect = tcp): Promise<WyomingClient> {
    return new WyomingClient(await connect(port));
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, bytes]);
      while (this.#readEvent());
      this.#changed();
    });
    socket.on("end", () => this.#ended("FIN"));
    socket.on("error", () => this.#ended("RST"));
    socket.on("close", () => this.#ended("RST"));
  }

  /** How the server has ended the connection; undefined: it has not. */
  get end(): ConnectionEnd | undefined {
    return this.#end;
  }

  /** The events in short: type, and text if there is one. */
  get said(): string[] {
    return this.events.map(({ type, data }) => (typeof data["text"] === "string" ? `${type}: ${data["text"]}` : type));
  }

  write(...parts: readonly (string | Uint8Array)[]): void {
    for (const part of parts) this.#socket.write(part);
  }

  /** Writes and resolves when the kernel has taken it. */
  async writeAll(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** Sends audio as one command. */
  command(audio: Uint8Array, bytesOfChunk = 2_048): void {
    this.write(eventBytes("transcribe", { language: "en" }), eventBytes("audio-start", CHUNK_FORMAT));
    for (let at = 0; at < audio.length; at += bytesOfChunk) {
      this.write(eventBytes("audio-chunk", CHUNK_FORMAT, audio.subarray(at, at + bytesOfChunk)));
    }
    this.write(eventBytes("audio-stop"));
  }

  /** Sends no more, and reads on. */
  finish(): void {
    this.#socket.end();
  }

  /** Stops reading. */
  stall(): void {
    this.#socket.pause();
  }

  readOn(): void {
    this.#socket.resume();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Waits for the n-th event of a type, from 1. */
  async event(type: string, n = 1): Promise<ReceivedEvent> {
    const found = (): ReceivedEvent | undefined => this.events.filter((event) => event.type === type)[n - 1];
    return await withTimeout(`event ${type}`, this.#when(found));
  }

  /** Waits for the end of the connection. */
  async ended(): Promise<ConnectionEnd> {
    return await withTimeout(
      "the end of the connection",
      this.#when(() => this.#end),
    );
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #when<Found>(find: () => Found | undefined): Promise<Found> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await this.#change.promise;
    }
  }

  #readEvent(): boolean {
    const end = this.#unread.indexOf("\n");
    if (end === -1) return false;
    const line = JSON.parse(this.#unread.subarray(0, end).toString()) as Record<string, unknown>;
    const behind = end + 1 + Number(line["data_length"] ?? 0);
    if (this.#unread.length < behind) return false;
    const data = this.#unread.subarray(end + 1, behind).toString();
    this.events.push({
      type: String(line["type"]),
      data: data === "" ? {} : (JSON.parse(data) as Record<string, unknown>),
    });
    this.#unread = this.#unread.subarray(behind);
    return true;
  }

  #ended(end: ConnectionEnd): void {
    this.#end ??= end;
    this.#changed();
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}
