import { SUBPROTOCOL } from "../protocol/version.ts";
import { ConnectionError, HandshakeFailed } from "./errors.ts";
import { type ClientTls, findTlsFault, tlsOptions } from "./tls.ts";
import { clientFrame, FrameReader, OPCODE } from "./websocket-frames.ts";

/** Appended to the key of the request before it is hashed (RFC 6455, section 1.3). */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** Most bytes of the response to the upgrade: its head, or a refusal with its body. */
const MAX_RESPONSE_BYTES = 64 * 1024;

/** The reports of a FrameSocket. */
export interface FrameSocketEvents {
  /** A text or binary message. `payload` is valid during the call only. */
  message(isText: boolean, payload: Uint8Array): void;
  /** A message that `write` could not send at once has left. */
  writable(): void;
  /** The connection has ended. `code` is that of the close frame; 1006 without one, as in RFC 6455. */
  closed(code: number, reason: string): void;
}

export interface FrameSocketOptions {
  /** Headers of the upgrade request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For `wss://`. */
  readonly tls?: ClientTls | undefined;
}

/** The server refused the upgrade with an HTTP status. */
export class UpgradeRefused extends Error {
  override readonly name = "UpgradeRefused";
  readonly status: number;
  readonly body: string;
  /** Seconds of `Retry-After`. */
  readonly retryAfter: number | undefined;

  constructor(status: number, body: string, retryAfter: number | undefined) {
    super(`the upgrade was refused with status ${status}`);
    this.status = status;
    this.body = body;
    this.retryAfter = retryAfter;
  }
}

/**
 * A WebSocket connection that sends frames made beforehand, for programs with thousands of connections: it neither
 * copies nor masks a payload, and buffers nothing. Only the part of one frame that the kernel did not take waits.
 */
export class FrameSocket {
  readonly #events: FrameSocketEvents;
  readonly #accept: string;
  readonly #opened = Promise.withResolvers<void>();
  /** Resolved after the handshake of TLS. */
  readonly #secured = Promise.withResolvers<void>();
  readonly #reader: FrameReader;
  #socket: Bun.Socket<undefined> | undefined;
  /** Bytes of the response to the upgrade; undefined once the connection is open. */
  #response: Buffer | undefined = Buffer.alloc(0);
  /** What the kernel has not taken of the last frame. */
  #unsent: Uint8Array | undefined;
  /** A control frame that waits until the last frame has left. Only the latest pong is owed (RFC 6455, section 5.5.3). */
  #control: Uint8Array | undefined;
  #close: { code: number; reason: string } | undefined;
  #ended = false;

  /** Rejects with UpgradeRefused, or with a ConnectionError (`cannot_connect`). */
  static async connect(
    url: URL,
    events: FrameSocketEvents,
    timeoutMs: number,
    { headers = {}, tls }: FrameSocketOptions = {},
  ): Promise<FrameSocket> {
    const key = crypto.getRandomValues(new Uint8Array(16)).toBase64();
    const accept = new Bun.CryptoHasher("sha1").update(key + ACCEPT_SUFFIX).digest("base64");
    const connection = new FrameSocket(events, accept);
    const isSecure = url.protocol === "wss:";
    const hostname = url.hostname.replace(/^\[|\]$/g, "");
    const port = Number(url.port || (isSecure ? 443 : 80));
    const timer = setTimeout(() => {
      connection.#refuse(new ConnectionError("cannot_connect", `no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    try {
      const socket = await Bun.connect({
        hostname,
        port,
        ...(isSecure && { tls: tlsOptions(tls) }),
        data: undefined,
        socket: connection.#handlers(),
      });
      if (isSecure) await connection.#secured.promise;
      const head = [
        `GET ${url.pathname}${url.search} HTTP/1.1`,
        `Host: ${url.host}`,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        `Sec-WebSocket-Key: ${key}`,
        `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
        ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
      ];
      socket.write(`${head.join("\r\n")}\r\n\r\n`);
      await connection.#opened.promise;
      return connection;
    } catch (error) {
      connection.terminate();
      if (error instanceof UpgradeRefused || error instanceof ConnectionError) throw error;
      throw new ConnectionError("cannot_connect", `cannot connect to ${url.host}`);
    } finally {
      clearTimeout(timer);
    }
  }

  private constructor(events: FrameSocketEvents, accept: string) {
    this.#events = events;
    this.#accept = accept;
    this.#reader = new FrameReader((opcode, payload) => this.#receive(opcode, payload));
  }

  /** False while a frame waits to leave, and after the end. */
  get writable(): boolean {
    return this.#unsent === undefined && !this.#ended && this.#close === undefined;
  }

  /** Sends a frame of `clientFrame`, which must not change until it has left. Must be called only while `writable`. */
  write(frame: Uint8Array): void {
    const written = this.#socket?.write(frame) ?? 0;
    if (written < frame.length) this.#unsent = frame.subarray(Math.max(0, written));
  }

  /** Starts the closing handshake. */
  close(code: number): void {
    if (!this.writable) return this.terminate();
    this.write(clientFrame(OPCODE.close, new Uint8Array([code >> 8, code & 0xff])));
  }

  /** Ends the connection at once, without a handshake. */
  terminate(): void {
    this.#socket?.terminate();
  }

  #handlers(): Bun.SocketHandler<undefined> {
    return {
      open: (socket) => void (this.#socket = socket),
      handshake: (_, isAuthorized, fault) => {
        if (isAuthorized) this.#secured.resolve();
        else this.#refuse(connectionError(fault));
      },
      data: (socket, bytes) => {
        try {
          if (this.#response === undefined) this.#reader.push(bytes);
          else this.#readResponse(bytes);
        } catch {
          socket.terminate();
        }
      },
      drain: () => this.#drain(),
      close: () => this.#end(),
      error: (_, error) => {
        if (this.#response !== undefined) this.#refuse(connectionError(error));
        this.#end();
      },
    };
  }

  #drain(): void {
    const frame = this.#unsent;
    if (frame === undefined) return;
    this.#unsent = undefined;
    this.write(frame);
    if (this.#unsent !== undefined) return;
    const control = this.#control;
    this.#control = undefined;
    if (control !== undefined) this.write(control);
    if (this.writable) this.#events.writable();
  }

  #readResponse(bytes: Uint8Array): void {
    const response = Buffer.concat([this.#response ?? Buffer.alloc(0), bytes]);
    this.#response = response;
    const headEnd = response.indexOf("\r\n\r\n");
    if (headEnd < 0 && response.length <= MAX_RESPONSE_BYTES) return;
    const head = response.toString("latin1", 0, headEnd);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]);
    if (headEnd < 0 || Number.isNaN(status)) {
      this.#refuse(new ConnectionError("cannot_connect", "the server does not speak HTTP"));
    } else if (status !== 101) {
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      const body = response.subarray(headEnd + 4);
      if (body.length < Math.min(length, MAX_RESPONSE_BYTES)) return;
      const retryAfter = /^retry-after: *(\d+)/im.exec(head)?.[1];
      this.#refuse(
        new UpgradeRefused(status, body.toString(), retryAfter === undefined ? undefined : Number(retryAfter)),
      );
    } else if (/^sec-websocket-accept: *(\S+)/im.exec(head)?.[1] !== this.#accept) {
      this.#refuse(new ConnectionError("cannot_connect", "the server does not speak WebSocket"));
    } else {
      this.#response = undefined;
      this.#opened.resolve();
      if (response.length > headEnd + 4) this.#reader.push(response.subarray(headEnd + 4));
    }
  }

  #refuse(error: Error): void {
    for (const { promise, reject } of [this.#secured, this.#opened]) {
      promise.catch(() => undefined);
      reject(error);
    }
    this.terminate();
  }

  #receive(opcode: number, payload: Uint8Array): void {
    if (opcode === OPCODE.text || opcode === OPCODE.binary) this.#events.message(opcode === OPCODE.text, payload);
    else if (opcode === OPCODE.ping) this.#answer(OPCODE.pong, payload);
    else if (opcode === OPCODE.close) {
      const code = payload.length < 2 ? 1005 : ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
      this.#answer(OPCODE.close, payload.subarray(0, 2));
      this.#close = { code, reason: new TextDecoder().decode(payload.subarray(2)) };
      this.#socket?.end();
    }
  }

  #answer(opcode: number, payload: Uint8Array): void {
    const frame = clientFrame(opcode, payload);
    if (this.writable) this.write(frame);
    else this.#control = frame;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unsent = undefined;
    if (this.#response !== undefined) {
      this.#refuse(new ConnectionError("cannot_connect", "the connection was closed before the upgrade"));
      return;
    }
    const { code, reason } = this.#close ?? { code: 1006, reason: "" };
    this.#events.closed(code, reason);
  }
}

/** Returns the error of a connection that failed before the upgrade. */
function connectionError(error: Error | null): ConnectionError {
  const fault = error === null ? undefined : findTlsFault(error.message);
  if (fault !== undefined) return new HandshakeFailed(fault.message);
  return new ConnectionError("cannot_connect", "the connection was closed before the upgrade");
}
