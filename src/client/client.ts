import { authorization, ticketProtocol } from "../protocol/credentials.ts";
import type { Started } from "../protocol/events.ts";
import { SUBPROTOCOL } from "../protocol/version.ts";
import type { ConnectOptions, StartFields } from "./connect-options.ts";
import { ConnectionError } from "./errors.ts";
import { EventQueue } from "./event-queue.ts";
import type { ReceivedEvent } from "./event-reader.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { Link, type LinkOptions } from "./link.ts";
import { openSocket } from "./open-socket.ts";

export type { ConnectOptions, ResumeProgress, StartFields } from "./connect-options.ts";

/** Most unread events. Past it the client closes the connection: a browser's WebSocket cannot be paused. */
export const MAX_QUEUED_EVENTS = 65_536;

/** Close code for events that are not read; 3000 to 3999 are for libraries (RFC 6455, section 7.4.2). */
const NOT_READ_CLOSE = 3008;

/**
 * Opens a connection and starts a stream on it. Resolves when the socket is open and `start` is sent. Audio can be
 * sent at once, or after `await client.started()`.
 *
 * If the server can resume streams, a stream whose connection is lost goes on at another one, see `resumeMs`.
 *
 * Rejects with a ConnectionError (`cannot_connect`) if nothing listens or the server refuses the upgrade. The
 * WebSocket API hides the status and the body of a refusal.
 */
export async function connect(url: string | URL, start: StartFields, options: ConnectOptions = {}): Promise<Client> {
  const { tls, credentials = {}, protocols = [SUBPROTOCOL] } = options;
  const open = async (signal: AbortSignal | undefined): Promise<WebSocket> => {
    const { token, ticket } = typeof credentials === "function" ? await credentials() : credentials;
    const headers = token === undefined ? options.headers : { ...options.headers, ...authorization(token) };
    const offered = ticket === undefined ? protocols : [...protocols, ticketProtocol(ticket)];
    const asked = { protocols: offered, headers, tls, signal };
    return options.openSocket?.(asked) ?? openSocket(url, asked);
  };
  const client = new Client(await open(options.signal), { ...options, open });
  client.start(start);
  return client;
}

/** The client's side of a connection, which carries one stream after another. Created by `connect`. */
export class Client implements Disposable {
  readonly #link: Link;
  readonly #events: EventQueue;
  #sentBytes = 0;
  /** Set when the connection has ended for good; requests and `send` then fail with it. */
  #closed: ConnectionError | undefined;

  constructor(socket: WebSocket, options: LinkOptions) {
    this.#events = new EventQueue(options.maxQueuedEvents ?? MAX_QUEUED_EVENTS);
    this.#link = new Link(socket, options, {
      received: (received) => this.#deliver(received),
      ended: (error, failure) => this.#end(error, failure),
    });
  }

  get heartbeat(): Heartbeat {
    return this.#link.heartbeat;
  }

  /**
   * The server's events in order, for one reader at a time. Leaving a loop keeps the connection open, and the next
   * loop continues with the next event. Ends when the connection closes and no stream is open. Throws a
   * ConnectionError when the connection closes within a stream that cannot be resumed, or when the server breaks the
   * protocol. A stream that is resumed has the events of one without interruption.
   */
  get events(): AsyncIterable<ReceivedEvent> {
    return this.#events;
  }

  /** Bytes of audio sent since the last `start`, each counted once. */
  get sentBytes(): number {
    return this.#sentBytes;
  }

  /** Messages received since the connection was opened. */
  get receivedMessages(): number {
    return this.#link.messages;
  }

  /** How often a stream went on at another connection. */
  get resumptions(): number {
    return this.#link.resumptions;
  }

  /** Bytes that were sent and that the network has not taken yet. */
  get bufferedBytes(): number {
    return this.#link.bufferedBytes;
  }

  /** Size of the events that have been received and not read. */
  get unreadBytes(): number {
    return this.#events.bytes;
  }

  /** False once the connection has ended for good. */
  get isOpen(): boolean {
    return this.#closed === undefined && this.#link.isOpen;
  }

  /** Starts the next stream. The server first ends a stream that is still open (`stopped` with reason `restart`). */
  start(fields: StartFields): void {
    this.#assertOpen();
    this.#link.start(fields);
    this.#sentBytes = 0;
  }

  /**
   * Returns the reply to the last `start`. Rejects with StartRefused, or with a ConnectionError if the connection
   * ends first.
   */
  started(): Promise<Started> {
    return this.#link.starts.reply;
  }

  /**
   * Sends audio as one binary message. The array may be reused when the promise resolves. Waits first while more than
   * `maxBufferedBytes` are buffered, and while a lost connection is replaced. Rejects with a ConnectionError if the
   * connection has ended, or with the reason of `signal` if that is aborted before; the audio is not sent then.
   */
  async send(bytes: Uint8Array<ArrayBuffer>, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    await this.#link.ready(signal);
    this.#assertOpen();
    this.#link.audio(bytes);
    this.#sentBytes += bytes.length;
  }

  /**
   * Ends the stream: the server sends the remaining results and `stopped`. With `disconnect` it then closes the
   * connection.
   */
  stop(options: { disconnect?: boolean } = {}): void {
    this.#assertOpen();
    this.#link.request({ request: "stop", ...options });
  }

  /** Ends the current utterance or block now. The server sends `flushed` for every channel. */
  flush(): void {
    this.#assertOpen();
    this.#link.request({ request: "flush" });
  }

  /** Restarts the server's idle timeout. */
  keepAlive(): void {
    this.#assertOpen();
    this.#link.keepAlive();
  }

  /** Closes the connection. Results that have not arrived are lost. */
  close(code = 1000, reason = ""): void {
    this.#link.close(code, reason);
  }

  /**
   * Closes the connection and does not wait for the server, which may be frozen: `events` ends by throwing `error`, and
   * so do requests.
   */
  abort(error: ConnectionError): void {
    this.#end(error, error);
    this.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #assertOpen(): void {
    if (!this.isOpen) throw this.#closed ?? new ConnectionError("closed", "the connection is closed");
  }

  #deliver(received: ReceivedEvent): void {
    if (this.#closed !== undefined || this.#events.push(received)) return;
    const error = new ConnectionError("not_read", `too many unread events: more than ${this.#events.limit}`);
    this.#end(error, error);
    this.close(NOT_READ_CLOSE, error.code);
  }

  /** Ends the connection once. With a `failure` the events end by throwing it. */
  #end(closed: ConnectionError, failure: ConnectionError | undefined): void {
    if (this.#closed !== undefined) return;
    this.#closed = closed;
    this.#link.starts.fail(closed);
    this.#events.end(failure);
  }
}
