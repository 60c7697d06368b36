import { authorization, ticketProtocol } from "../protocol/credentials.ts";
import { SUBPROTOCOL } from "../protocol/version.ts";
import { type AudioData, type AudioPieces, bytesOf } from "./audio-data.ts";
import type { ConnectOptions, ResumeProgress, SendAllOptions } from "./connect-options.ts";
import { addDispose } from "./dispose.ts";
import { ConnectionError } from "./errors.ts";
import { EventQueue } from "./event-queue.ts";
import type { ReceivedEvent } from "./event-reader.ts";
import type { Heartbeat } from "./heartbeat.ts";
import { Link, type LinkOptions } from "./link.ts";
import { openNativeSocket } from "./open-socket.ts";
import { sendAll } from "./send-all.ts";
import { socketUrl } from "./socket-url.ts";
import type { ClientSocket } from "./socket.ts";
import { StreamTotals } from "./stream-totals.ts";
import { Turns } from "./turns.ts";
import type { StartedEvent } from "./types/events.ts";
import type { StartFields } from "./types/start.ts";

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
 * Rejects with a ConnectionError: `cannot_connect` if nothing listens or the server refuses the upgrade (on Node.js a
 * ConnectionRefused with the reason, which the WebSocket API of other run times hides), `unsupported` for options that
 * this run time cannot obey. Rejects with the reason of `signal`, and with a TypeError for what is no URL.
 *
 * @param url of a pattern, such as `ws://localhost:8080/api/v1/segmented`; `http` means `ws`, and in a browser it may be
 *   relative to the page
 */
export async function connect(url: string | URL, start: StartFields, options: ConnectOptions = {}): Promise<Client> {
  const { tls, credentials = {}, protocols = [SUBPROTOCOL], openSocket = openNativeSocket } = options;
  const address = socketUrl(url);
  const open = async (signal: AbortSignal | undefined): Promise<ClientSocket> => {
    const { token, ticket } = typeof credentials === "function" ? await credentials() : credentials;
    const headers = token === undefined ? options.headers : { ...options.headers, ...authorization(token) };
    const offered = ticket === undefined ? protocols : [...protocols, ticketProtocol(ticket)];
    return openSocket(address, { protocols: offered, headers, tls, signal });
  };
  const client = new Client(await open(options.signal), { ...options, open });
  client.start(start);
  return client;
}

/** The client's side of a connection, which carries one stream after another. Made by `connect`. */
export class Client implements Disposable {
  readonly #link: Link;
  readonly #events: EventQueue;
  readonly #totals = new StreamTotals();
  /** Audio that waits for room, and the requests behind it. */
  readonly #turns = new Turns();
  #lastStart: StartFields | undefined;
  /** Set when the connection has ended for good; requests and `send` then fail with it. */
  #closed: ConnectionError | undefined;

  static {
    addDispose(this.prototype, (Symbol as Partial<SymbolConstructor>).dispose);
  }

  /** @internal */
  constructor(socket: ClientSocket, options: LinkOptions) {
    this.#events = new EventQueue(options.maxQueuedEvents ?? MAX_QUEUED_EVENTS);
    const onResume = (progress: ResumeProgress): void => {
      if (progress.state === "resumed") this.#totals.resumed();
      options.onResume?.(progress);
    };
    this.#link = new Link(
      socket,
      { ...options, onResume },
      {
        received: (received) => this.#deliver(received),
        refused: () => void this.#totals.end(),
        ended: (error, failure) => this.#end(error, failure),
      },
    );
  }

  /** @internal */
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
    return this.#totals.bytes;
  }

  /**
   * Messages received since the connection was opened.
   * @internal
   */
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
    this.#inTurn(() => {
      this.#link.start(fields);
      this.#lastStart = fields;
      this.#totals.begin();
    });
  }

  /**
   * Returns the reply to the last `start`. Rejects with StartRefused, or with a ConnectionError if the connection ends
   * first. It need not be called: `events` has the same reply.
   */
  started(): Promise<StartedEvent> {
    if (this.#turns.isFree) return this.#link.starts.reply;
    return this.#turns.next(() => undefined).then(() => this.#link.starts.reply);
  }

  /**
   * Sends audio as one binary message, of at most `limits.max_message_bytes` of `started` (1 MiB by default), behind all
   * that was given to this client before. The memory may be reused when the promise resolves. Waits first while more
   * than `maxBufferedBytes` are buffered, and while a lost connection is replaced: await it, and the audio is sent as
   * fast as the server takes it. Rejects with a ConnectionError if the connection has ended, with a TypeError for what
   * is no audio, or with the reason of `signal` if that is aborted before; the audio is not sent then.
   */
  async send(audio: AudioData, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const bytes = bytesOf(audio);
    signal?.throwIfAborted();
    if (this.#turns.isFree && this.#link.hasRoom) return this.#sendNow(bytes);
    await this.#turns.next(async () => {
      await this.#link.ready(signal);
      this.#sendNow(bytes);
    }, signal);
  }

  /**
   * Sends all audio of a source, in messages of at most 64 KiB, and reads no faster than it sends: of a Blob or File, a
   * ReadableStream, a readable stream of Node.js, or any iterable of pieces, cut anywhere. It must be in the format of
   * the stream; for WAV files there is `openWav`. Rejects as `send` does, and when the source fails; the source is given
   * up then.
   */
  sendAll(source: AudioPieces, options: SendAllOptions = {}): Promise<void> {
    return sendAll(source, this.#lastStart?.format, options, (piece, { signal }) => this.send(piece, { signal }));
  }

  /**
   * Ends the stream: the server sends the remaining results and `stopped`. With `disconnect` it then closes the
   * connection.
   */
  stop(options: { readonly disconnect?: boolean | undefined } = {}): void {
    this.#inTurn(() => this.#link.request({ request: "stop", ...options }));
  }

  /** Ends the current utterance or block now. The server sends `flushed` for every channel. */
  flush(): void {
    this.#inTurn(() => this.#link.request({ request: "flush" }));
  }

  /** Restarts the server's idle timeout. */
  keepAlive(): void {
    this.#assertOpen();
    this.#link.keepAlive();
  }

  /** Closes the connection at once. Results that have not arrived are lost: in a stream, `events` throws `closed`. */
  close(code = 1000, reason = ""): void {
    this.#link.close(code, reason);
  }

  /**
   * Closes the connection and does not wait for the server, which may be frozen: `events` ends by throwing `error`, and
   * so do requests.
   * @internal
   */
  abort(error: ConnectionError): void {
    this.#end(error, error);
    this.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #sendNow(bytes: Uint8Array<ArrayBuffer>): void {
    this.#assertOpen();
    this.#link.audio(bytes);
    this.#totals.sent(bytes.length);
  }

  /** Makes a request, behind the audio that waits for room. Throws a ConnectionError if the connection has ended. */
  #inTurn(act: () => void): void {
    this.#assertOpen();
    if (this.#turns.isFree) act();
    // If the connection ends before, the events say so.
    else void this.#turns.next(() => this.isOpen && act());
  }

  #assertOpen(): void {
    if (!this.isOpen) throw this.#closed ?? new ConnectionError("closed", "the connection is closed");
  }

  #deliver(received: ReceivedEvent): void {
    const event = received.event.type === "stopped" ? { ...received, sent: this.#totals.end() } : received;
    if (this.#closed !== undefined || this.#events.push(event)) return;
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
