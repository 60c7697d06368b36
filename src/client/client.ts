import { messageOf } from "../lib/thrown.ts";
import { authorization, type Credentials, ticketProtocol } from "../protocol/credentials.ts";
import type { ServerEvent, Started } from "../protocol/events.ts";
import type { AudioFormat } from "../protocol/format.ts";
import { SUBPROTOCOL } from "../protocol/version.ts";
import { ConnectionError } from "./errors.ts";
import { EventQueue } from "./event-queue.ts";
import { EventReader, type ReceivedEvent } from "./event-reader.ts";
import { Heartbeat } from "./heartbeat.ts";
import { openSocket, type SocketOptions } from "./open-socket.ts";
import { StartReplies } from "./start-replies.ts";

/** `send` waits while the WebSocket holds more unsent bytes than this. */
export const MAX_BUFFERED_BYTES = 1024 * 1024;
/** Most unread events. Past it the client closes the connection: a browser's WebSocket cannot be paused. */
export const MAX_QUEUED_EVENTS = 65_536;

const FIRST_POLL_MS = 1;
const LAST_POLL_MS = 32;

/** Close codes that this client sends; 3000 to 3999 are for libraries (RFC 6455, section 7.4.2). */
const PROTOCOL_ERROR_CLOSE = 3002;
const NOT_READ_CLOSE = 3008;

/** The fields of a `start` request. The server has defaults for all but `format`. */
export interface StartFields {
  readonly format: Omit<AudioFormat, "encoding"> & Partial<Pick<AudioFormat, "encoding">>;
  readonly interim_results?: boolean;
  readonly [field: string]: unknown;
}

export interface ConnectOptions extends Pick<SocketOptions, "tls"> {
  /** Subprotocols to offer; default `streamer.v1`. */
  readonly protocols?: readonly string[];
  /** Headers of the upgrade request. Bun's WebSocket can set them, a browser's cannot. */
  readonly headers?: Readonly<Record<string, string>>;
  /** A token, sent as a header, or a ticket (`POST /api/v1/tickets`), sent as a subprotocol, as browsers can. */
  readonly credentials?: Credentials;
  /** The clock for `ReceivedEvent.receivedMs`, in milliseconds; default `performance.now`. */
  readonly now?: () => number;
  /** Default MAX_BUFFERED_BYTES. */
  readonly maxBufferedBytes?: number;
  /** Default MAX_QUEUED_EVENTS. */
  readonly maxQueuedEvents?: number;
  /** Gives up connecting when aborted: `connect` rejects with its reason. No effect on an open connection. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a connection and starts a stream on it. Resolves when the socket is open and `start` is sent. Audio can be
 * sent at once, or after `await client.started()`.
 *
 * Rejects with a ConnectionError (`cannot_connect`) if nothing listens or the server refuses the upgrade. The
 * WebSocket API hides the status and the body of a refusal.
 */
export async function connect(url: string | URL, start: StartFields, options: ConnectOptions = {}): Promise<Client> {
  const { signal, tls, credentials: { token, ticket } = {}, protocols = [SUBPROTOCOL] } = options;
  const headers = token === undefined ? options.headers : { ...options.headers, ...authorization(token) };
  const offered = ticket === undefined ? protocols : [...protocols, ticketProtocol(ticket)];
  const socket = await openSocket(url, { protocols: offered, headers, tls, signal });
  const client = new Client(socket, options);
  client.start(start);
  return client;
}

/** The client's side of a connection, which carries one stream after another. Created by `connect`. */
export class Client implements Disposable {
  readonly heartbeat: Heartbeat;
  readonly #socket: WebSocket;
  readonly #reader = new EventReader();
  readonly #events: EventQueue;
  readonly #starts = new StartReplies();
  readonly #now: () => number;
  readonly #maxBufferedBytes: number;
  /** A stream has started and not stopped. */
  #streaming = false;
  #sentBytes = 0;
  #receivedMessages = 0;
  /** Set when the connection has ended; requests and `send` then fail with it. */
  #closed: ConnectionError | undefined;

  constructor(socket: WebSocket, options: ConnectOptions) {
    this.#socket = socket;
    this.heartbeat = new Heartbeat(socket);
    this.#now = options.now ?? (() => performance.now());
    this.#maxBufferedBytes = options.maxBufferedBytes ?? MAX_BUFFERED_BYTES;
    this.#events = new EventQueue(options.maxQueuedEvents ?? MAX_QUEUED_EVENTS);
    socket.onmessage = (message: MessageEvent) => this.#receive(message.data);
    socket.onclose = (close) => this.#handleClose(close.code, close.reason);
  }

  /**
   * The server's events in order, for one reader at a time. Leaving a loop keeps the connection open, and the next
   * loop continues with the next event. Ends when the connection closes and no stream is open. Throws a
   * ConnectionError when the connection closes within a stream, or when the server breaks the protocol.
   */
  get events(): AsyncIterable<ReceivedEvent> {
    return this.#events;
  }

  /** Bytes of audio sent since the last `start`. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Messages received since the connection was opened. */
  get receivedMessages(): number {
    return this.#receivedMessages;
  }

  /** Bytes that were sent and that the network has not taken yet. */
  get bufferedBytes(): number {
    return this.#socket.bufferedAmount;
  }

  /** Size of the events that have been received and not read. */
  get unreadBytes(): number {
    return this.#events.bytes;
  }

  /** False once the connection has ended. */
  get isOpen(): boolean {
    return this.#closed === undefined && this.#socket.readyState === WebSocket.OPEN;
  }

  /** Starts the next stream. The server first ends a stream that is still open (`stopped` with reason `restart`). */
  start(fields: StartFields): void {
    this.#request({ request: "start", ...fields });
    this.#starts.sent();
    this.#sentBytes = 0;
  }

  /**
   * Returns the reply to the last `start`. Rejects with StartRefused, or with a ConnectionError if the connection
   * ends first.
   */
  started(): Promise<Started> {
    return this.#starts.reply;
  }

  /**
   * Sends audio as one binary message. The array may be reused when the promise resolves. Waits first while more than
   * `maxBufferedBytes` are buffered. Rejects with a ConnectionError if the connection has ended, or with the reason of
   * `signal` if that is aborted before; the audio is not sent then.
   */
  async send(bytes: Uint8Array<ArrayBuffer>, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    // The WebSocket API has no event for a drained buffer.
    let delay = FIRST_POLL_MS;
    while (this.isOpen && this.#socket.bufferedAmount > this.#maxBufferedBytes) {
      await new Promise((resolve) => setTimeout(resolve, delay));
      delay = Math.min(delay * 2, LAST_POLL_MS);
      signal?.throwIfAborted();
    }
    this.#assertOpen();
    this.#socket.send(bytes);
    this.#sentBytes += bytes.length;
  }

  /**
   * Ends the stream: the server sends the remaining results and `stopped`. With `disconnect` it then closes the
   * connection.
   */
  stop(options: { disconnect?: boolean } = {}): void {
    this.#request({ request: "stop", ...options });
  }

  /** Ends the current utterance or block now. The server sends `flushed` for every channel. */
  flush(): void {
    this.#request({ request: "flush" });
  }

  /** Restarts the server's idle timeout. */
  keepAlive(): void {
    this.#request({ request: "keep_alive" });
  }

  /** Closes the connection. Results that have not arrived are lost. */
  close(code = 1000, reason = ""): void {
    this.#socket.close(code, reason);
  }

  /**
   * Closes the connection and does not wait for the server, which may be frozen: `events` ends by throwing `error`, and
   * so do requests.
   */
  abort(error: ConnectionError): void {
    this.#end(error, error);
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #request(body: object): void {
    this.#assertOpen();
    this.#socket.send(JSON.stringify(body));
  }

  #assertOpen(): void {
    if (!this.isOpen) throw this.#closed ?? new ConnectionError("closed", "the connection is closed");
  }

  #receive(data: unknown): void {
    if (this.#closed !== undefined) return;
    this.#receivedMessages += 1;
    let received: ReceivedEvent | undefined;
    try {
      received = this.#reader.read(data, this.#now());
    } catch (error) {
      const message = `the server broke the protocol: ${messageOf(error)}`;
      this.#refuse(new ConnectionError("protocol", message), PROTOCOL_ERROR_CLOSE);
      return;
    }
    if (received !== undefined) this.#deliver(received);
  }

  #deliver(received: ReceivedEvent): void {
    this.#track(received.event);
    if (this.#events.push(received)) return;
    const message = `too many unread events: more than ${this.#events.limit}`;
    this.#refuse(new ConnectionError("not_read", message), NOT_READ_CLOSE);
  }

  #track(event: ServerEvent): void {
    if (event.type === "started") this.#streaming = true;
    else if (event.type === "stopped") this.#streaming = false;
    this.#starts.receive(event);
  }

  #refuse(error: ConnectionError, closeCode: number): void {
    this.#end(error, error);
    this.#socket.close(closeCode, error.code);
  }

  #handleClose(code: number, reason: string): void {
    const message = `the connection was closed (${code}${reason && `: ${reason}`})`;
    const error = new ConnectionError("closed", message, code, reason);
    const expectsMore = this.#streaming || this.#starts.pending || this.#reader.awaitsAudio;
    this.#end(error, expectsMore ? error : undefined);
  }

  /** Ends the connection once. With a `failure` the events end by throwing it. */
  #end(closed: ConnectionError, failure: ConnectionError | undefined): void {
    if (this.#closed !== undefined) return;
    this.#closed = closed;
    this.#starts.fail(closed);
    this.#events.end(failure);
  }
}
