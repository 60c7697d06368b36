import { messageOf } from "../lib/thrown.ts";
import { untilAborted } from "../lib/until-aborted.ts";
import type { Started } from "../protocol/events.ts";
import type { ConnectOptions } from "./connect-options.ts";
import { depart } from "./departure.ts";
import { ConnectionError } from "./errors.ts";
import type { ReceivedEvent } from "./event-reader.ts";
import { Heartbeat } from "./heartbeat.ts";
import { recover, RESUME_MS } from "./recovery.ts";
import { ResumableStream } from "./resumable-stream.ts";
import type { ClientSocket } from "./socket.ts";
import { StartReplies } from "./start-replies.ts";
import type { StartFields } from "./types/start.ts";
import { Wire } from "./wire.ts";

/** `send` waits while the WebSocket holds more unsent bytes than this. */
export const MAX_BUFFERED_BYTES = 1024 * 1024;

/** The client, as its link to the server reports to it. */
export interface LinkOwner {
  received(event: ReceivedEvent): void;
  /** A start has been refused. Called before `received`. */
  refused(): void;
  /** The link has ended. @param failure of the stream; undefined: there was none to end */
  ended(error: ConnectionError, failure: ConnectionError | undefined): void;
}

export interface LinkOptions extends ConnectOptions {
  /** Opens another connection to the same server. Rejects with a ConnectionError. */
  readonly open: (signal: AbortSignal) => Promise<ClientSocket>;
}

/**
 * The way to the server: one connection, or, if the server can resume streams, one after the other. What is sent goes
 * over the present one, and what a new one needs is sent again.
 */
export class Link {
  readonly heartbeat: Heartbeat;
  readonly starts = new StartReplies();
  readonly #options: LinkOptions;
  readonly #owner: LinkOwner;
  readonly #closing = new AbortController();
  #wire: Wire;
  #fields: StartFields | undefined;
  /** Undefined: the stream ends with its connection. */
  #stream: ResumableStream | undefined;
  /** Settled when a lost connection has been replaced, or will not be. */
  #recovering: Promise<void> | undefined;
  /** A stream has started and not stopped. */
  #streaming = false;
  #messages = 0;
  #resumptions = 0;

  constructor(socket: ClientSocket, options: LinkOptions, owner: LinkOwner) {
    this.#options = options;
    this.#owner = owner;
    this.heartbeat = new Heartbeat(socket);
    this.#wire = this.#wireOf(socket);
  }

  /** True while what is given to the link is sent, now or over another connection. */
  get isOpen(): boolean {
    return this.#recovering !== undefined || this.#wire.isOpen || this.#isBeingLost;
  }

  /** The socket has closed, and has not said so yet: then another one is opened. */
  get #isBeingLost(): boolean {
    return !this.#wire.hasEnded && this.#stream?.canResume === true && !this.#closing.signal.aborted;
  }

  /** Audio can be sent at once. */
  get hasRoom(): boolean {
    const { maxBufferedBytes = MAX_BUFFERED_BYTES } = this.#options;
    return this.#recovering === undefined && this.#wire.bufferedBytes <= maxBufferedBytes;
  }

  /** Bytes that were sent and that the network has not taken yet. */
  get bufferedBytes(): number {
    return this.#wire.bufferedBytes;
  }

  /** Messages received so far. */
  get messages(): number {
    return this.#messages;
  }

  /** How often a stream went on at another connection. */
  get resumptions(): number {
    return this.#resumptions;
  }

  /** Starts a stream. Throws an Error while another one is being resumed. */
  start(fields: StartFields): void {
    if (this.#recovering !== undefined) throw new Error("a stream is being resumed: another one cannot start");
    const { resumeMs = RESUME_MS, maxKeptBytes, credentials } = this.#options;
    const isForOne = typeof credentials === "object" && credentials.ticket !== undefined;
    const canResume = resumeMs > 0 && !isForOne;
    this.#stream = canResume ? new ResumableStream(maxKeptBytes) : undefined;
    this.#fields = fields;
    this.#sendStart({});
  }

  /** Waits until audio can be sent. Rejects with the reason of the signal. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    while (this.#recovering !== undefined) {
      await (signal === undefined ? this.#recovering : untilAborted(this.#recovering, signal));
    }
    await this.#untilRoom(signal);
  }

  audio(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#stream?.audio(bytes) === true) this.#sendKept();
    else this.#wire.send(bytes);
  }

  request(body: { readonly request: string }): void {
    if (this.#stream?.request(body) === true) this.#sendKept();
    else this.#wire.send(JSON.stringify(body));
  }

  keepAlive(): void {
    if (this.#recovering === undefined) this.#wire.send(JSON.stringify({ request: "keep_alive" }));
  }

  /** Closes the connection, and opens no other. */
  close(code: number, reason: string): void {
    this.#closing.abort();
    this.#wire.socket.close(code, reason);
  }

  #wireOf(socket: ClientSocket): Wire {
    return new Wire(socket, this.#options.now ?? (() => performance.now()), {
      message: () => void (this.#messages += 1),
      received: (received) => this.#receive(received),
      ended: (error, isFault) => this.#lose(error, isFault),
    });
  }

  #receive(received: ReceivedEvent): void {
    const { event } = received;
    if (event.type === "started") this.#streaming = true;
    else if (event.type === "stopped") this.#streaming = false;
    else if (event.type === "warning" && event.code === "draining") void this.#leave(event.deadline_ms ?? 0);
    const isReply = this.starts.receive(event);
    if (isReply && event.type === "error" && this.#recovering === undefined) this.#owner.refused();
    // Before the reply to a start come the last events of the stream before it.
    const isKept = this.starts.pending ? event.type === "checkpoint" : this.#stream?.accept(event) === false;
    // That a resumed start is refused concerns the recovery alone.
    const isOurs = (isKept && this.#stream !== undefined) || (isReply && this.#recovering !== undefined);
    if (!isOurs) this.#owner.received(received);
  }

  #lose(error: ConnectionError, isFault: boolean): void {
    const { pending } = this.starts;
    const expectsMore = isFault || this.#streaming || pending;
    const isLost = this.#streaming && !pending && error.code === "closed" && !this.#closing.signal.aborted;
    if (this.#recovering !== undefined) this.starts.fail(error);
    else if (isLost && this.#stream?.canResume === true) this.#recover(error, this.#stream);
    else this.#owner.ended(error, expectsMore ? error : undefined);
  }

  /** The server shuts down: the stream goes on at another one, if there is one before the deadline. */
  async #leave(deadlineMs: number): Promise<void> {
    const wire = this.#wire;
    const stream = this.#stream;
    const isNeeded = (): boolean =>
      this.#wire === wire && wire.isOpen && this.#streaming && !this.starts.pending && stream?.canLeave === true;
    if (stream === undefined || !isNeeded()) return;
    const open = (signal: AbortSignal) => this.#open(signal);
    const socket = await depart({ deadlineMs, isNeeded, open, signal: this.#closing.signal });
    if (socket === undefined) return;
    wire.drop();
    this.#recover(new ConnectionError("closed", "the server shuts down", 1001), stream, socket);
  }

  /**
   * Replaces a lost connection, and sends again what the stream needs.
   * @param next a connection that is open already, for the first attempt
   */
  #recover(cause: ConnectionError, stream: ResumableStream, next?: ClientSocket): void {
    const { resumeMs = RESUME_MS, onResume } = this.#options;
    const attempt = (signal: AbortSignal) => this.#resume(stream, signal);
    const finish = (failure: ConnectionError | undefined): void => {
      this.#recovering = undefined;
      if (failure !== undefined) return this.#owner.ended(failure, failure);
      this.#resumptions += 1;
      onResume?.({ state: "resumed", cause });
    };
    const { signal } = this.#closing;
    const again = () => recover(cause, { attempt, signal, limitMs: resumeMs });
    const first = next === undefined ? again() : this.#resume(stream, signal, next).catch(again);
    this.#recovering = first.then(
      () => finish(undefined),
      (error: unknown) => finish(error instanceof ConnectionError ? error : cause),
    );
    onResume?.({ state: "lost", cause });
  }

  async #resume(stream: ResumableStream, signal: AbortSignal, next?: ClientSocket): Promise<void> {
    const socket = next ?? (await this.#open(signal));
    this.#wire = this.#wireOf(socket);
    this.heartbeat.follow(socket);
    stream.rewind();
    this.#sendStart(stream.resume === undefined ? {} : { resume: stream.resume });
    try {
      await untilAborted<Started>(this.starts.reply, signal);
    } catch (error) {
      this.#wire.drop();
      throw error;
    }
    // Everything may be megabytes: what the server does not take yet waits here.
    while (this.#wire.isOpen && this.#sendOne()) await this.#untilRoom(signal);
    if (!this.#wire.isOpen && this.#streaming) throw new ConnectionError("closed", "the connection was lost again");
  }

  /** Opens another connection. What gives the credentials may be the server that has gone, and is asked again later. */
  async #open(signal: AbortSignal): Promise<ClientSocket> {
    try {
      return await untilAborted(this.#options.open(signal), signal);
    } catch (error) {
      if (error instanceof ConnectionError) throw error;
      throw new ConnectionError("cannot_connect", `no other connection could be opened: ${messageOf(error)}`);
    }
  }

  #sendStart(more: object): void {
    this.#wire.send(JSON.stringify({ request: "start", ...this.#fields, ...more }));
    this.starts.sent();
  }

  /** Sends what has been added. While a connection is replaced, that does it. */
  #sendKept(): void {
    while (this.#recovering === undefined && this.#sendOne()) continue;
  }

  /** Sends the next thing that is kept. Returns false when there is none. */
  #sendOne(): boolean {
    const item = this.#stream?.take();
    if (item === undefined) return false;
    this.#wire.send(item.kind === "audio" ? item.bytes : JSON.stringify(item.body));
    return true;
  }

  async #untilRoom(signal: AbortSignal | undefined): Promise<void> {
    await this.#wire.untilRoom(this.#options.maxBufferedBytes ?? MAX_BUFFERED_BYTES, signal);
  }
}
