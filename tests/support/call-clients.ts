import type { Socket } from "node:net";

import * as v from "valibot";

import { type WatchMessage, watchMessageSchema } from "../../src/dialects/watch/messages.ts";
import { parseEvent, type ServerEvent } from "../../src/protocol/events.ts";
import { waitUntil } from "./wait.ts";

type Headers = Readonly<Record<string, string>>;

/** A WebSocket of Bun's own, and how it was closed. */
class CallSocket implements Disposable {
  closed: { readonly code: number; readonly reason: string } | undefined;
  readonly #socket: WebSocket;

  protected constructor(url: string, path: string, protocols: string[], headers: Headers) {
    // Of what Bun's takes, the types of the DOM leave headers out.
    const options = { protocols, headers } as unknown as string[];
    this.#socket = new WebSocket(`${url.replace(/^http/, "ws")}${path}`, options);
    this.#socket.addEventListener("close", ({ code, reason }) => {
      this.closed = { code, reason };
    });
    this.#socket.addEventListener("message", ({ data }) => this.receive(data));
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  send(message: string | Uint8Array): void {
    this.#socket.send(message);
  }

  close(): void {
    this.#socket.close();
  }

  /** Waits for the server's close, or the client's. */
  async end(): Promise<{ readonly code: number; readonly reason: string }> {
    await waitUntil("the close", () => this.closed !== undefined);
    return this.closed ?? { code: 1006, reason: "" };
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }

  protected receive(_data: unknown): void {}

  protected async opened(): Promise<this> {
    await waitUntil("the connection to open or close", () => this.#socket.readyState !== WebSocket.CONNECTING);
    if (this.#socket.readyState !== WebSocket.OPEN) throw new Error("the upgrade was refused");
    return this;
  }
}

/** Somebody who watches calls. Every message must be one of the schema, or an event of the native protocol. */
export class WatchClient extends CallSocket {
  readonly messages: WatchMessage[] = [];
  /** Events about the connection itself. */
  readonly own: ServerEvent[] = [];

  /** Connects, and resolves when calls are watched. @param query `?call=NAME`, or empty */
  static async connect(url: string, query = "", headers: Headers = {}): Promise<WatchClient> {
    const client = await new WatchClient(url, `/api/v1/calls${query}`, [], headers).opened();
    await client.until("the first message", () => client.messages.length > 0);
    return client;
  }

  /** Events of a call, or of all. */
  events(call?: string): ServerEvent[] {
    const all = this.messages.filter((message) => message.type === "call_event");
    return all
      .filter((message) => call === undefined || message.call === call)
      .map(({ event }) => parseEvent(JSON.stringify(event)));
  }

  /** The texts of the finals. */
  get texts(): unknown[] {
    return this.events().flatMap((event) => (event.type === "segment" && event.is_final ? [event["text"]] : []));
  }

  get ended(): number {
    return this.messages.filter(({ type }) => type === "call_ended").length;
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    await waitUntil(what, holds);
  }

  protected override receive(data: unknown): void {
    const value: unknown = JSON.parse(String(data));
    const result = v.safeParse(watchMessageSchema, value);
    if (result.success) this.messages.push(result.output);
    else this.own.push(parseEvent(String(data)));
  }
}

export interface TwilioCall {
  readonly callSid?: string;
  readonly tracks?: readonly string[];
  readonly parameters?: Readonly<Record<string, string>>;
}

/** Twilio's side of a call, with the messages of its documentation. */
export class TwilioClient extends CallSocket {
  readonly #ids: object;
  #sequence = 0;
  #chunks = 0;

  static async connect(url: string, path = "/twilio", callSid = "CA0a1b2c3d4e5f60718293a4b5c6d7e8f9") {
    return await new TwilioClient(url, path, callSid).opened();
  }

  private constructor(url: string, path: string, callSid: string) {
    super(url, path, [], {});
    this.#ids = { accountSid: "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", callSid };
  }

  /** Sends `connected` and `start`. */
  start({ tracks = ["inbound"], parameters = {} }: TwilioCall = {}): void {
    this.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
    this.#send("start", {
      start: {
        ...this.#ids,
        streamSid: "MZ0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        tracks,
        mediaFormat: { encoding: "audio/x-mulaw", sampleRate: 8_000, channels: 1 },
        customParameters: parameters,
      },
    });
  }

  /** Sends mu-law, 20 ms a message. */
  media(bytes: Uint8Array, track = "inbound"): void {
    for (let at = 0; at < bytes.length; at += 160) {
      const chunk = String(++this.#chunks);
      const media = { track, chunk, timestamp: String(at / 8), payload: bytes.subarray(at, at + 160).toBase64() };
      this.#send("media", { media });
    }
  }

  dtmf(digit: string): void {
    this.#send("dtmf", { dtmf: { track: "inbound_track", digit } });
  }

  stop(): void {
    this.#send("stop", { stop: this.#ids });
  }

  #send(event: string, fields: object): void {
    const sequenceNumber = String(++this.#sequence);
    this.send(JSON.stringify({ event, sequenceNumber, ...fields, streamSid: "MZ0a1b2c3d4e5f60718293a4b5c6d7e8f9" }));
  }
}

/** Asterisk's side of a call over a WebSocket. */
export class AsteriskClient extends CallSocket {
  static async connect(url: string, query = "", headers: Headers = {}): Promise<AsteriskClient> {
    return await new AsteriskClient(url, `/asterisk${query}`, ["media"], headers).opened();
  }

  start(format = "ulaw"): void {
    const ids = "connection_id:streamer channel:WebSocket/streamer/0x7f2c58001030 channel_id:1764194400.7";
    this.send(`MEDIA_START ${ids} format:${format} optimal_frame_size:160 ptime:20`);
  }

  audio(bytes: Uint8Array, frame = 160): void {
    for (let at = 0; at < bytes.length; at += frame) this.send(bytes.subarray(at, at + frame));
  }
}

/** A message of AudioSocket: type, length, payload. */
export function audioSocketMessage(type: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  return Buffer.concat([Buffer.from([type, payload.length >> 8, payload.length & 0xff]), payload]);
}

/** Writes audio as Asterisk does, 20 ms of 8 kHz a message. */
export function writeAudio(socket: Socket, bytes: Uint8Array, type = 0x10, frame = 320): void {
  for (let at = 0; at < bytes.length; at += frame) {
    socket.write(audioSocketMessage(type, bytes.subarray(at, at + frame)));
  }
}
