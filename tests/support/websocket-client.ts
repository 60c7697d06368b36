import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";

import { parseEvent, type ServerEvent, type Stopped } from "../../src/protocol/events.ts";
import { encodeFrame, FrameReader, OPCODE } from "./frames.ts";
import { S16_MONO } from "./requests.ts";
import { withTimeout } from "./wait.ts";

/** The value that a server appends to the client's key before it computes Sec-WebSocket-Accept (RFC 6455, 1.3). */
const HANDSHAKE_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export interface ConnectOptions {
  /** Default `/api/v1/segmented`. */
  readonly path?: string;
  /** Local address that the client connects from, such as 127.0.0.2; default 127.0.0.1. */
  readonly from?: string;
  /** Connects with TLS. `ca`: the authority that the client trusts. */
  readonly tls?: Pick<ConnectionOptions, "ca" | "cert" | "key" | "rejectUnauthorized">;
  /** Added to the headers of a valid handshake, or in their place; undefined omits a header. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
}

/** A response to the handshake with a status other than 101. */
export class UpgradeRefused extends Error {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;

  constructor({ status, headers, rest }: Response) {
    const body = rest.toString("utf8");
    super(`the upgrade was refused: ${status} ${body}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

export interface CloseStatus {
  /** 1006: the connection ended without a close frame. */
  readonly code: number;
  readonly reason: string;
}

type EventOf<Type extends ServerEvent["type"]> = Extract<ServerEvent, { type: Type }>;

/** A client of the native protocol on a bare TCP socket. It can also do what a well-behaved WebSocket client never does. */
export class WebSocketClient implements Disposable {
  /** Events received so far, in order. */
  readonly events: ServerEvent[] = [];
  readonly binaryMessages: Buffer[] = [];
  /** The number of pings received. */
  pings = 0;
  /** Headers of the response to the handshake. */
  readonly headers: Headers;
  /** True: pings and close frames of the server are not answered. */
  unresponsive = false;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #end = Promise.withResolvers<CloseStatus>();
  #closed: CloseStatus | undefined;
  /** The number of events that `nextEvent` has passed. */
  #eventsRead = 0;
  #change = Promise.withResolvers<void>();

  /** Connects and performs the handshake. Rejects with UpgradeRefused when the response is not an upgrade. */
  static async connect(port: number, options: ConnectOptions = {}): Promise<WebSocketClient> {
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
    const to = { port, host: "127.0.0.1", ...(options.from !== undefined && { localAddress: options.from }) };
    const socket = options.tls === undefined ? connect(to) : connectTls({ ...to, ...options.tls });
    socket.setNoDelay(true);
    socket.write(`GET ${options.path ?? "/api/v1/segmented"} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
    const response = await withTimeout("the response to the handshake", readResponse(socket));
    if (response.status !== 101) {
      socket.destroy();
      throw new UpgradeRefused(response);
    }
    const accept = createHash("sha1").update(`${key}${HANDSHAKE_GUID}`).digest("base64");
    if (response.headers.get("sec-websocket-accept") !== accept) throw new Error("Sec-WebSocket-Accept is wrong");
    return new WebSocketClient(socket, response);
  }

  private constructor(socket: Socket, { headers, rest }: Response) {
    this.#socket = socket;
    this.headers = headers;
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    socket.on("close", () => this.#finish({ code: 1006, reason: "" }));
    socket.on("error", () => this.#finish({ code: 1006, reason: "" }));
    if (rest.length > 0) this.#receive(rest);
    socket.resume();
  }

  /** SHA-256 of the certificate that the server has shown; undefined without TLS. */
  get fingerprint(): string | undefined {
    return "getPeerCertificate" in this.#socket
      ? (this.#socket as TLSSocket).getPeerCertificate().fingerprint256
      : undefined;
  }

  /** How the connection ended; undefined while it is open. */
  get closed(): CloseStatus | undefined {
    return this.#closed;
  }

  /** Waits until the server has closed the connection. Its messages may take any time, but not the pause between two. */
  async waitForClose(): Promise<CloseStatus> {
    while (this.#closed === undefined) {
      await withTimeout(
        `the close, after ${this.#lastEvents()}`,
        Promise.race([this.#end.promise, this.#change.promise]),
      );
    }
    return this.#closed;
  }

  /** Writes bytes to the socket as they are. Resolves when the kernel has taken them. */
  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Sends a text message: the text, or an object as JSON. */
  sendText(message: object | string): void {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.#writeUnlessClosed(encodeFrame(OPCODE.text, Buffer.from(text)));
  }

  /** Sends a start, by default for S16_MONO. */
  start(fields: object = {}): void {
    this.sendText({ request: "start", format: S16_MONO, ...fields });
  }

  stop(fields: object = {}): void {
    this.sendText({ request: "stop", ...fields });
  }

  flush(): void {
    this.sendText({ request: "flush" });
  }

  /** Sends one binary message. Resolves when the kernel has taken it. */
  async sendAudio(bytes: Uint8Array): Promise<void> {
    await this.write(encodeFrame(OPCODE.binary, bytes));
  }

  /** Sends bytes as binary messages; `size` returns the length of the next one. */
  async sendInChunks(bytes: Uint8Array, size: () => number): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(bytes.length, at + size());
      await this.sendAudio(bytes.subarray(at, end));
      at = end;
    }
  }

  /** Sends a stream with this audio in one message, and waits for its end. The connection stays open. */
  async sendStream(bytes: Uint8Array, fields: object = {}): Promise<Stopped> {
    this.start(fields);
    await this.sendAudio(bytes);
    this.stop();
    return await this.nextEvent("stopped");
  }

  /** Sends one message in several frames, with a ping between each two. */
  async sendFragments(opcode: number, parts: readonly Uint8Array[]): Promise<void> {
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

  /** Sends a close frame. */
  sendClose(code = 1000): void {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    this.#writeUnlessClosed(encodeFrame(OPCODE.close, payload));
  }

  /** Ends this direction of the TCP connection, without a close frame. */
  halfClose(): void {
    this.#socket.end();
  }

  /** Ends the connection immediately with a TCP reset. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /**
   * Waits for the next event of this type that `matches`; events before it are passed over. Rejects when the connection
   * ends first.
   */
  async nextEvent<Type extends ServerEvent["type"]>(
    type: Type,
    matches: (event: EventOf<Type>) => boolean = () => true,
  ): Promise<EventOf<Type>> {
    for (;;) {
      while (this.#eventsRead < this.events.length) {
        const event = this.events[this.#eventsRead++]!;
        if (event.type === type && matches(event as EventOf<Type>)) return event as EventOf<Type>;
      }
      if (this.#closed !== undefined) {
        throw new Error(`the connection ended (${this.#closed.code}) without ${type}, after ${this.#lastEvents()}`);
      }
      await withTimeout(`${type}, after ${this.#lastEvents()}`, this.#change.promise);
    }
  }

  /** Returns all events of one type received so far. */
  eventsOf<Type extends ServerEvent["type"]>(type: Type): EventOf<Type>[] {
    return this.events.filter((event): event is EventOf<Type> => event.type === type);
  }

  /** Discards all messages received so far, so that a connection with thousands of streams needs little memory. */
  clearMessages(): void {
    this.events.length = 0;
    this.binaryMessages.length = 0;
    this.#eventsRead = 0;
  }

  #lastEvents(): string {
    const types = this.events.map((event) => (event.type === "error" ? `error ${event.code}` : event.type));
    return types.length === 0 ? "no events" : types.slice(-12).join(", ");
  }

  /** Writes without reporting a failure: that the connection has ended is reported by `nextEvent` and `waitForClose`. */
  #writeUnlessClosed(bytes: Uint8Array): void {
    this.write(bytes).catch(() => {});
  }

  #receive(bytes: Buffer): void {
    for (const { opcode, payload } of this.#reader.push(bytes)) {
      if (opcode === OPCODE.text) this.events.push(parseEvent(payload.toString("utf8")));
      else if (opcode === OPCODE.binary) this.binaryMessages.push(Buffer.from(payload));
      else if (opcode === OPCODE.ping) {
        this.pings += 1;
        if (!this.unresponsive) this.#writeUnlessClosed(encodeFrame(OPCODE.pong, payload));
      } else if (opcode === OPCODE.close) {
        const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
        this.#finish({ code, reason: payload.subarray(2).toString("utf8") });
        if (this.unresponsive) continue;
        this.#writeUnlessClosed(encodeFrame(OPCODE.close, payload));
        this.#socket.end();
      }
    }
    this.#notify();
  }

  #finish(status: CloseStatus): void {
    this.#closed ??= status;
    this.#end.resolve(this.#closed);
    this.#notify();
  }

  /** Wakes calls of `nextEvent`. */
  #notify(): void {
    const change = this.#change;
    this.#change = Promise.withResolvers();
    change.resolve();
  }
}

interface Response {
  readonly status: number;
  readonly headers: Headers;
  /** Bytes after the headers: the first frames, or the whole body of a refusal. */
  readonly rest: Buffer;
}

function readResponse(socket: Socket): Promise<Response> {
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
