import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

import { parseEvent, type ServerEvent } from "../../src/protocol/events.ts";
import { encodeFrame, FrameReader, OPCODE } from "./frames.ts";
import { withTimeout } from "./wait.ts";

/** What every WebSocket handshake ends its key with (RFC 6455). */
const MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface PeerOptions {
  /** Default `/api/v1/segmented`. */
  readonly path?: string;
  /** Beside, or instead of, those of a good handshake; undefined leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** An answer to the handshake that is no upgrade. */
export class Refused extends Error {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;

  constructor(status: number, headers: Headers, body: string) {
    super(`the upgrade was refused: ${status} ${body}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

export interface Close {
  /** 1006: the connection ended without a close frame. */
  readonly code: number;
  readonly reason: string;
}

type Of<Type extends ServerEvent["type"]> = Extract<ServerEvent, { type: Type }>;

/** A WebSocket client on a bare TCP socket, which can also do what no decent client does. */
export class Peer implements Disposable {
  /** Everything that the server has said so far, in order. */
  readonly events: ServerEvent[] = [];
  readonly binaries: Buffer[] = [];
  pings = 0;
  /** Headers of the upgrade's answer. */
  readonly headers: Headers;
  /** Does not answer the server's pings and close frames any more. */
  mute = false;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #closed = Promise.withResolvers<Close>();
  #close: Close | undefined;
  #read = 0;
  #changed = Promise.withResolvers<void>();

  /** Connects and shakes hands. Rejects with Refused when the answer is no upgrade. */
  static async connect(port: number, options: PeerOptions = {}): Promise<Peer> {
    const key = randomBytes(16).toString("base64");
    const headers = {
      Host: `127.0.0.1:${port}`,
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": key,
      ...options.headers,
    };
    const lines = Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : `${name}: ${value}`));
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    socket.write(`GET ${options.path ?? "/api/v1/segmented"} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    const answer = await withTimeout("the handshake's answer", readAnswer(socket));
    if (answer.status !== 101) {
      socket.destroy();
      throw new Refused(answer.status, answer.headers, answer.rest.toString("utf8"));
    }
    const accept = createHash("sha1").update(`${key}${MAGIC}`).digest("base64");
    if (answer.headers.get("sec-websocket-accept") !== accept) throw new Error("the handshake's answer is wrong");
    return new Peer(socket, answer.headers, answer.rest);
  }

  private constructor(socket: Socket, headers: Headers, rest: Buffer) {
    this.#socket = socket;
    this.headers = headers;
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    socket.on("close", () => this.#ended({ code: 1006, reason: "" }));
    socket.on("error", () => this.#ended({ code: 1006, reason: "" }));
    if (rest.length > 0) this.#receive(rest);
    socket.resume();
  }

  /** How the connection ended; undefined while it has not. */
  get closed(): Close | undefined {
    return this.#close;
  }

  /** Waits for the end. */
  async close(): Promise<Close> {
    return await withTimeout(`the close, after ${this.#told()}`, this.#closed.promise);
  }

  /** Resolves when the kernel has taken the bytes. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  say(request: object | string): void {
    const text = typeof request === "string" ? request : JSON.stringify(request);
    this.#ignore(this.write(encodeFrame(OPCODE.text, Buffer.from(text))));
  }

  start(fields: object = {}): void {
    this.say({ request: "start", format: S16_MONO, ...fields });
  }

  stop(fields: object = {}): void {
    this.say({ request: "stop", ...fields });
  }

  /** One binary message. Resolves when the kernel has taken it. */
  async audio(bytes: Uint8Array): Promise<void> {
    await this.write(encodeFrame(OPCODE.binary, bytes));
  }

  /** Audio as messages of the sizes that `cut` says. */
  async cut(bytes: Uint8Array, size: () => number): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + size());
      await this.audio(bytes.subarray(at, end));
      at = end;
    }
  }

  /** One message in several frames, with a ping between each two. */
  async fragments(opcode: number, parts: readonly Uint8Array[]): Promise<void> {
    for (const [i, part] of parts.entries()) {
      await this.write(encodeFrame(i === 0 ? opcode : OPCODE.more, part, i === parts.length - 1));
      if (i < parts.length - 1) await this.write(encodeFrame(OPCODE.ping, Buffer.from("between")));
    }
  }

  /** Stops reading: the kernel's buffers fill up, then the server's. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** A clean close from this side. */
  leave(code = 1000): void {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#ignore(this.write(encodeFrame(OPCODE.close, payload)));
  }

  /** Ends this direction only, without a close frame. */
  halfClose(): void {
    this.#socket.end();
  }

  /** Gone at once, with a TCP reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /**
   * The next event not yet read that is of this type; those before it count as read. Rejects when the connection ends
   * first.
   */
  async next<Type extends ServerEvent["type"]>(
    type: Type,
    fits: (event: Of<Type>) => boolean = () => true,
  ): Promise<Of<Type>> {
    for (;;) {
      while (this.#read < this.events.length) {
        const event = this.events[this.#read++]!;
        if (event.type === type && fits(event as Of<Type>)) return event as Of<Type>;
      }
      if (this.#close !== undefined) {
        throw new Error(`the connection ended (${this.#close.code}) without ${type}, after ${this.#told()}`);
      }
      await withTimeout(`${type}, after ${this.#told()}`, this.#changed.promise);
    }
  }

  /** All events of one type so far. */
  all<Type extends ServerEvent["type"]>(type: Type): Of<Type>[] {
    return this.events.filter((event): event is Of<Type> => event.type === type);
  }

  /** Drops what has been said so far, for conversations without end. */
  forget(): void {
    this.events.length = 0;
    this.binaries.length = 0;
    this.#read = 0;
  }

  #told(): string {
    const types = this.events.map((event) => (event.type === "error" ? `error ${event.code}` : event.type));
    return types.length === 0 ? "nothing" : types.slice(-12).join(", ");
  }

  #ignore(written: Promise<void>): void {
    // That the connection has ended is seen where its end is waited for.
    written.catch(() => {});
  }

  #receive(bytes: Buffer): void {
    for (const { opcode, payload } of this.#reader.push(bytes)) {
      if (opcode === OPCODE.text) this.events.push(parseEvent(payload.toString("utf8")));
      else if (opcode === OPCODE.binary) this.binaries.push(Buffer.from(payload));
      else if (opcode === OPCODE.ping) {
        this.pings += 1;
        if (!this.mute) this.#ignore(this.write(encodeFrame(OPCODE.pong, payload)));
      } else if (opcode === OPCODE.close) {
        const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
        this.#ended({ code, reason: payload.subarray(2).toString("utf8") });
        if (this.mute) continue;
        this.#ignore(this.write(encodeFrame(OPCODE.close, payload)));
        this.#socket.end();
      }
    }
    this.#wake();
  }

  #ended(close: Close): void {
    this.#close ??= close;
    this.#closed.resolve(this.#close);
    this.#wake();
  }

  #wake(): void {
    const changed = this.#changed;
    this.#changed = Promise.withResolvers();
    changed.resolve();
  }
}

/** The format that most tests send. */
export const S16_MONO = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** What came behind the headers: the first frames, or the whole body of a refusal. */
  readonly rest: Buffer;
}

function readAnswer(socket: Socket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    const ended = (): void => reject(new Error(`the connection ended in the handshake, after "${bytes.toString()}"`));
    const read = (more: Buffer): void => {
      bytes = Buffer.concat([bytes, more]);
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) return;
      const [first = "", ...lines] = bytes.subarray(0, end).toString("latin1").split("\r\n");
      const headers = new Headers();
      for (const line of lines)
        headers.append(line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim());
      const status = Number(first.split(" ")[1]);
      const rest = bytes.subarray(end + 4);
      if (status !== 101 && rest.length < Number(headers.get("content-length") ?? "0")) return;
      socket.pause();
      socket.off("data", read).off("close", ended).off("error", reject);
      resolve({ status, headers, rest });
    };
    socket.on("data", read).on("close", ended).on("error", reject);
  });
}
