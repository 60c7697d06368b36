import { createHash } from "node:crypto";
import { connect as connectTcp, type Socket } from "node:net";

import { type Frame, FrameReader, OPCODE } from "./frames.ts";
import { withTimeout } from "./wait.ts";

/** Opens a connection to a port of this machine, encrypted or not. Rejects when it fails. */
export type Connect = (port: number) => Promise<Socket>;

/** How the other side ended a connection: in good order, or with a reset. */
export type ConnectionEnd = "FIN" | "RST";

/** A key of RFC 6455, 1.3, and what a server must answer to it. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = createHash("sha1").update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
const HEAD_END = Buffer.from("\r\n\r\n");

/** Connects to an address of this machine, from the same address. */
export function tcpTo(host: string): Connect {
  return async (port) => {
    const socket = connectTcp({ port, host, allowHalfOpen: true });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("connect", resolve).once("error", reject);
    await promise;
    socket.off("error", reject);
    return socket;
  };
}

export const tcp = tcpTo("127.0.0.1");

/** A response over HTTP, without what follows it. */
export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** Returns the text of a valid handshake; `fields` replace its header lines, or remove them if undefined. */
export function handshake(
  port: number,
  fields: Readonly<Record<string, string | readonly string[] | undefined>> = {},
  line = "GET /api/v1/segmented HTTP/1.1",
): string {
  const headers = {
    Host: `127.0.0.1:${port}`,
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
    ...fields,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) => {
    if (value === undefined) return [];
    return (typeof value === "string" ? [value] : value).map((one) => `${name}: ${one}`);
  });
  return `${line}\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** A connection on which a test writes what it likes, and reads what comes back byte by byte. */
export class RawConnection implements Disposable {
  readonly #socket: Socket;
  #unread: Buffer = Buffer.alloc(0);
  #end: ConnectionEnd | undefined;
  #change = Promise.withResolvers<void>();
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];

  static async open(port: number, connect: Connect = tcp): Promise<RawConnection> {
    return new RawConnection(await connect(port));
  }

  /** Opens a WebSocket. Rejects when the response to a valid handshake is no valid upgrade. */
  static async upgraded(port: number, connect: Connect = tcp, path?: string): Promise<RawConnection> {
    const connection = await RawConnection.open(port, connect);
    connection.write(handshake(port, {}, path && `GET ${path} HTTP/1.1`));
    await connection.upgrade();
    return connection;
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
      this.#notify();
    });
    socket.on("end", () => this.#finish("FIN")).on("error", () => this.#finish("RST"));
    // Reached without `end` or `error` only if the connection was destroyed here.
    socket.on("close", () => this.#finish("RST"));
  }

  /** Bytes received and not read. */
  get unread(): Buffer {
    return this.#unread;
  }

  /** Writes bytes as they are; a text is Latin-1. */
  write(bytes: Uint8Array | string): void {
    // That the connection is gone shows when it is read.
    if (this.#socket.writable) this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Writes the parts one after the other, each in a TCP segment of its own, unless the connection ends before. */
  async writeApart(parts: readonly (Uint8Array | string)[]): Promise<void> {
    for (const part of parts) {
      if (this.#end !== undefined) return;
      this.write(part);
      await Bun.sleep(1);
    }
  }

  /** Ends this direction of the connection. */
  finish(): void {
    this.#socket.end();
  }

  /** Stops reading: the buffers of both kernels fill up, then the server's. */
  pause(): void {
    this.#socket.pause();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  /** Reads a response. Returns how the connection ended when it did so first. */
  async response(hasBody = true): Promise<RawResponse | ConnectionEnd> {
    const at = await this.#until("a response", () => {
      const index = this.#unread.indexOf(HEAD_END);
      return index < 0 ? undefined : index;
    });
    if (typeof at === "string") return at;
    const [first = "", ...lines] = this.#unread.subarray(0, at).toString("latin1").split("\r\n");
    const headers = new Headers();
    for (const line of lines) headers.append(line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1));
    const length = hasBody ? Number(headers.get("content-length") ?? "0") : 0;
    const total = at + HEAD_END.length + length;
    const whole = await this.#until("the body", () => (this.#unread.length >= total ? true : undefined));
    if (typeof whole === "string") return whole;
    const body = this.#unread.subarray(at + HEAD_END.length, total).toString("utf8");
    this.#unread = this.#unread.subarray(total);
    return { status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(`${first} `)?.[1]), headers, body };
  }

  /** Reads the response to a valid handshake. Rejects when it is no valid upgrade. */
  async upgrade(): Promise<RawResponse> {
    const response = await this.response();
    if (typeof response === "string" || response.status !== 101) {
      throw new Error(`no upgrade: ${JSON.stringify(response)}`);
    }
    const { headers } = response;
    if (headers.get("sec-websocket-accept") !== ACCEPT) throw new Error("Sec-WebSocket-Accept is wrong");
    if (headers.get("upgrade")?.toLowerCase() !== "websocket") throw new Error("Upgrade is missing");
    if (headers.get("connection")?.toLowerCase() !== "upgrade") throw new Error("Connection is wrong");
    return response;
  }

  /** Reads a frame. Returns how the connection ended when it did so first. Rejects on one that no server may send. */
  async frame(): Promise<Frame | ConnectionEnd> {
    return await this.#until("a frame", () => {
      if (this.#unread.length > 0) {
        const bytes = this.#unread;
        this.#unread = Buffer.alloc(0);
        this.#frames.push(...this.#reader.push(bytes));
      }
      return this.#frames.shift();
    });
  }

  /** Reads frames, as `describeFrame` names them, up to one that is `last`, or to the end of the connection. */
  async framesUntil(last: (frame: string) => boolean): Promise<string[]> {
    const frames: string[] = [];
    for (;;) {
      const frame = await this.frame();
      frames.push(typeof frame === "string" ? frame : describeFrame(frame));
      if (typeof frame === "string" || last(frames.at(-1) ?? "")) return frames;
    }
  }

  /** Waits for the end of the connection, whatever comes before. */
  async ended(): Promise<ConnectionEnd> {
    return await this.#until("the end of the connection", () => undefined as ConnectionEnd | undefined);
  }

  /** Returns what `find` finds in what has come, as soon as it does. */
  async #until<T>(what: string, find: () => T | undefined): Promise<T | ConnectionEnd> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (this.#end !== undefined) return this.#end;
      await withTimeout(`${what}, after ${this.#unread.length} bytes`, this.#change.promise);
    }
  }

  #finish(end: ConnectionEnd): void {
    this.#end ??= end;
    this.#notify();
  }

  #notify(): void {
    const change = this.#change;
    this.#change = Promise.withResolvers();
    change.resolve();
  }
}

/** Names a frame of the server: `error no_stream`, `started`, `pong abc`, `close 1002`. */
export function describeFrame({ opcode, payload }: Frame): string {
  switch (opcode) {
    case OPCODE.text: {
      const { type, code } = JSON.parse(payload.toString("utf8")) as { type: string; code?: string };
      return code === undefined ? type : `${type} ${code}`;
    }
    case OPCODE.pong:
      return `pong ${payload.toString("latin1")}`;
    case OPCODE.ping:
      return "ping";
    case OPCODE.close:
      return payload.length === 0 ? "close" : `close ${payload.readUInt16BE(0)}`;
    default:
      return `opcode ${opcode} of ${payload.length} bytes`;
  }
}
