import type { ErrorCode } from "../protocol/errors.ts";
import { type ErrorEvent, parseEvent, type ServerEvent, type Started } from "../protocol/events.ts";
import type { AudioFormat } from "../protocol/format.ts";
import { SUBPROTOCOL } from "../protocol/version.ts";
import { ConnectionError, StartRefused } from "./errors.ts";
import { EventQueue, type Received } from "./event-queue.ts";

/** `send` waits while more bytes than this lie in this process, not yet taken by the network. */
export const MAX_BUFFERED_BYTES = 1024 * 1024;
/** Events that nobody has read yet; past it the connection is closed, since a socket in a browser cannot be paused. */
export const MAX_QUEUED_EVENTS = 65_536;

/** Errors that answer a `start`; they name no channel. */
const REFUSALS: ReadonlySet<string> = new Set<ErrorCode>([
  "invalid_json",
  "invalid_request",
  "unknown_request",
  "unsupported_format",
  "unknown_model",
  "overloaded",
]);

const FIRST_POLL_MS = 1;
const LAST_POLL_MS = 32;

/** The body of `start`; every field but `format` has a default on the server. */
export interface StartFields {
  readonly format: Omit<AudioFormat, "encoding"> & Partial<Pick<AudioFormat, "encoding">>;
  readonly interim_results?: boolean;
  readonly [field: string]: unknown;
}

export interface ConnectOptions {
  /** Subprotocols to offer; default `streamer.v1`. */
  readonly protocols?: readonly string[];
  /** Headers of the upgrade; only where WebSocket lets one set them, as Bun does and browsers do not. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The clock that stamps `Received.at`, milliseconds; default `performance.now`. */
  readonly now?: () => number;
  readonly maxBufferedBytes?: number;
  readonly maxQueuedEvents?: number;
}

/** What Bun's WebSocket can, and the standard's cannot. */
type WebSocketWithHeaders = new (
  url: string | URL,
  options: { readonly protocols: string[]; readonly headers: Readonly<Record<string, string>> },
) => WebSocket;

/**
 * Opens a connection and, on it, a stream. Resolves once the socket is open and `start` is on its way: audio may be sent at
 * once, or after `await client.started()`. Rejects with a ConnectionError (`cannot_connect`) where nothing listens or the
 * upgrade is refused; WebSocket hides the refusal's status and body.
 */
export async function connect(url: string | URL, start: StartFields, options: ConnectOptions = {}): Promise<Client> {
  const { headers, protocols = [SUBPROTOCOL] } = options;
  const socket =
    headers === undefined
      ? new WebSocket(url, [...protocols])
      : new (WebSocket as unknown as WebSocketWithHeaders)(url, { protocols: [...protocols], headers });
  socket.binaryType = "arraybuffer";
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onclose = () => reject(new ConnectionError("cannot_connect", `cannot connect to ${String(url)}`));
  });
  const client = new Client(socket, options);
  client.start(start);
  return client;
}

interface Waiter {
  readonly resolve: (started: Started) => void;
  readonly reject: (error: Error) => void;
}

/** One connection; it carries streams one after the other. Made by `connect`. */
export class Client {
  readonly #socket: WebSocket;
  readonly #events: EventQueue;
  readonly #now: () => number;
  readonly #maxBuffered: number;
  /** Set when the connection is over: why, if it was not a clean end. */
  #over: ConnectionError | undefined;
  /** Starts that are not yet answered. */
  #asked = 0;
  /** A stream was started and has not stopped. */
  #streaming = false;
  #sentBytes = 0;
  /** What the server said to the last start. */
  #answer: Started | StartRefused | undefined;
  #waiters: Waiter[] = [];
  /** An event whose audio is the next message. */
  #pending: { event: ServerEvent; text: string; bytes: number } | undefined;

  constructor(socket: WebSocket, options: ConnectOptions) {
    this.#socket = socket;
    this.#now = options.now ?? (() => performance.now());
    this.#maxBuffered = options.maxBufferedBytes ?? MAX_BUFFERED_BYTES;
    this.#events = new EventQueue(options.maxQueuedEvents ?? MAX_QUEUED_EVENTS);
    socket.onmessage = (message: MessageEvent) => this.#receive(message.data);
    socket.onclose = (close) => this.#ended(close.code, close.reason);
  }

  /**
   * What the server says, in its order, from one reader at a time. Leaving a loop leaves the connection open, and another loop
   * goes on where it was left. Ends when the connection closes with no stream open, throws a ConnectionError when it closes
   * otherwise or the server breaks the protocol.
   */
  get events(): AsyncIterable<Received> {
    return this.#events;
  }

  /** Bytes of audio handed to `send` since the last `start`. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** True until the connection is over; `send` of a closed client rejects. */
  get isOpen(): boolean {
    return this.#over === undefined && this.#socket.readyState === WebSocket.OPEN;
  }

  /** Opens the next stream; the server first ends one that is still open, with `stopped` and reason `restart`. */
  start(fields: StartFields): void {
    this.#request({ request: "start", ...fields });
    this.#asked += 1;
    this.#sentBytes = 0;
    this.#answer = undefined;
  }

  /** The server's answer to the last `start`. Rejects with StartRefused, or a ConnectionError if the connection ends first. */
  started(): Promise<Started> {
    if (this.#answer instanceof StartRefused) return Promise.reject(this.#answer);
    if (this.#answer !== undefined) return Promise.resolve(this.#answer);
    if (this.#over !== undefined) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /**
   * Sends audio as one binary message; the bytes may be reused when it returns. Waits, before sending, until the network has
   * taken what went before down to MAX_BUFFERED_BYTES. Rejects with a ConnectionError when the connection is over.
   */
  async send(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    let delay = FIRST_POLL_MS;
    while (this.isOpen && this.#socket.bufferedAmount > this.#maxBuffered) {
      await new Promise((resolve) => setTimeout(resolve, delay));
      delay = Math.min(delay * 2, LAST_POLL_MS);
    }
    this.#assertOpen();
    this.#socket.send(bytes);
    this.#sentBytes += bytes.length;
  }

  /** Ends the stream: its remaining results and `stopped` follow. With `disconnect` the server then closes the connection. */
  stop(options: { disconnect?: boolean } = {}): void {
    this.#request({ request: "stop", ...options });
  }

  /** Ends the current utterance or block now; `flushed` follows for every channel. */
  flush(): void {
    this.#request({ request: "flush" });
  }

  keepAlive(): void {
    this.#request({ request: "keep_alive" });
  }

  /** Closes the connection; results that are still owed are lost. */
  close(code = 1000, reason = ""): void {
    this.#socket.close(code, reason);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #request(body: object): void {
    this.#assertOpen();
    this.#socket.send(JSON.stringify(body));
  }

  #assertOpen(): void {
    if (!this.isOpen) throw this.#over ?? new ConnectionError("closed", "the connection is closed");
  }

  #receive(data: unknown): void {
    if (this.#over !== undefined) return;
    const at = this.#now();
    if (typeof data === "string") return this.#receiveText(data, at);
    const pending = this.#pending;
    if (!(data instanceof ArrayBuffer) || pending === undefined || data.byteLength !== pending.bytes) {
      return this.#breach("audio from the server that no event announced");
    }
    this.#pending = undefined;
    this.#deliver({ event: pending.event, text: pending.text, at, audio: new Float32Array(data) });
  }

  #receiveText(text: string, at: number): void {
    if (this.#pending !== undefined) return this.#breach("an event that announced audio was not followed by it");
    let event: ServerEvent;
    try {
      event = parseEvent(text);
    } catch (error) {
      return this.#breach(error instanceof Error ? error.message : String(error));
    }
    if ("audio" in event && event.audio !== undefined) {
      if (event.audio.bytes % 4 !== 0) return this.#breach("audio that is not whole f32 samples");
      this.#pending = { event, text, bytes: event.audio.bytes };
    } else {
      this.#deliver({ event, text, at, audio: undefined });
    }
  }

  #deliver(received: Received): void {
    const { event } = received;
    if (event.type === "started") {
      this.#streaming = true;
      this.#answered(event);
    } else if (event.type === "stopped") {
      this.#streaming = false;
    } else if (event.type === "error" && this.#asked > 0 && event.channel === undefined && REFUSALS.has(event.code)) {
      this.#answered(event);
    }
    if (!this.#events.push(received)) {
      this.#fail(new ConnectionError("not_read", `events were not read: more than ${this.#events.limit} are waiting`));
    }
  }

  /** Only the answer to the last of several starts is what `started` waits for. */
  #answered(event: Started | ErrorEvent): void {
    this.#asked -= 1;
    if (this.#asked > 0) return;
    if (event.type === "started") {
      this.#answer = event;
      for (const waiter of this.#takeWaiters()) waiter.resolve(event);
    } else {
      this.#answer = new StartRefused(event);
      for (const waiter of this.#takeWaiters()) waiter.reject(this.#answer);
    }
  }

  #takeWaiters(): Waiter[] {
    const waiters = this.#waiters;
    this.#waiters = [];
    return waiters;
  }

  #breach(message: string): void {
    this.#fail(new ConnectionError("protocol", `the server broke the protocol: ${message}`));
  }

  #fail(error: ConnectionError): void {
    this.#finish(error, error);
    this.#socket.close(error.code === "protocol" ? 3002 : 3008, error.code);
  }

  #ended(code: number, reason: string): void {
    const error = new ConnectionError(
      "closed",
      `the connection was closed (${code}${reason && `: ${reason}`})`,
      code,
      reason,
    );
    this.#finish(error, this.#streaming || this.#asked > 0 || this.#pending !== undefined ? error : undefined);
  }

  /** `failure` ends the events by throwing; without one they simply end. */
  #finish(over: ConnectionError, failure: ConnectionError | undefined): void {
    if (this.#over !== undefined) return;
    this.#over = over;
    for (const waiter of this.#takeWaiters()) waiter.reject(over);
    this.#events.end(failure);
  }
}
