import { HandshakeFailed } from "../../client/errors.ts";
import { FrameSocket, UpgradeRefused } from "../../client/frame-socket.ts";
import type { ClientTls } from "../../client/tls.ts";
import { clientFrame, OPCODE } from "../../client/websocket-frames.ts";
import { messageOf } from "../../lib/thrown.ts";
import { type ErrorEvent, parseEvent, type ServerEvent } from "../../protocol/events.ts";
import type { Meter } from "./meter.ts";
import type { Recording } from "./recording.ts";
import { StreamResults } from "./stream-results.ts";

/** Close code of a client that is done. */
const NORMAL_CLOSE = 1000;
const STOP = clientFrame(OPCODE.text, new TextEncoder().encode('{"request":"stop"}'));

/** How the stream stands. `refused`: by the server, before or at `start`. `lost`: ended without `stopped`. */
type State = "idle" | "connecting" | "starting" | "open" | "stopping" | "stopped" | "refused" | "lost";

export interface StreamPlan {
  readonly url: URL;
  /** Headers of the upgrade. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: ClientTls;
  /** The frame of the `start` request. */
  readonly start: Uint8Array;
  readonly recording: Recording;
  /** The recording's message that the stream begins with, so that not all speak at once. */
  readonly firstMessage: number;
  /** Milliseconds to wait for the connection, `started` and `stopped`. */
  readonly timeoutMs: number;
}

/** One paced stream: a recording sent on an absolute clock, its results timed, its ledger checked. */
export class BenchStream {
  readonly #plan: StreamPlan;
  readonly #meter: Meter;
  readonly #now: () => number;
  #state: State = "idle";
  #socket: FrameSocket | undefined;
  /** When the first message was due; message n is due n message times later. */
  #begun = 0;
  #sent = 0;
  #requestedMs = 0;
  /** Undefined until the server has started the stream. */
  #results: StreamResults | undefined;
  /** Set when an event with audio has come: the next binary message is that audio. */
  #audioFollows = false;
  #stopRequested = false;
  /** Resolved when the stream is over. */
  readonly #over = Promise.withResolvers<void>();

  constructor(plan: StreamPlan, meter: Meter, now: () => number) {
    this.#plan = plan;
    this.#meter = meter;
    this.#now = now;
  }

  get done(): Promise<void> {
    return this.#over.promise;
  }

  /** Connects and sends `start`. The stream sends audio once `started` has come. */
  async open(): Promise<void> {
    this.#state = "connecting";
    this.#meter.offered();
    this.#requestedMs = this.#now();
    try {
      this.#socket = await FrameSocket.connect(
        this.#plan.url,
        {
          message: (isText, payload) => this.#receive(isText, payload),
          writable: () => this.#writable(),
          closed: (code, reason) => this.#closed(code, reason),
        },
        this.#plan.timeoutMs,
        { headers: this.#plan.headers, tls: this.#plan.tls },
      );
    } catch (error) {
      this.#meter.refused(refusalOf(error), this.#elapsed());
      return this.#finish("refused");
    }
    this.#meter.connected(this.#elapsed());
    this.#state = "starting";
    this.#requestedMs = this.#now();
    this.#socket.write(this.#plan.start);
  }

  /** Sends the messages that are due. To be called once a message time, at the stream's place in it. */
  tick(now: number, due: number): void {
    if (this.#state !== "open") return;
    if (this.#sent === 0 && this.#begun === 0) this.#begun = due;
    this.#sendDue(now);
  }

  /** Ends the stream after what was sent. Its results still come. */
  stop(): void {
    this.#stopRequested = true;
    if (this.#state === "idle") this.#finish("stopped");
    else this.#stopWhenWritable();
  }

  #stopWhenWritable(): void {
    if (this.#state !== "open" || this.#socket?.writable !== true) return;
    this.#state = "stopping";
    this.#socket.write(STOP);
  }

  /** Gives up waiting for the stream's end. */
  abandon(): void {
    if (this.#isOver) return;
    this.#meter.problem("no `stopped` within the time limit");
    this.#finish("lost");
    this.#socket?.terminate();
  }

  #writable(): void {
    if (this.#stopRequested) this.#stopWhenWritable();
    else this.#sendDue(this.#now());
  }

  get #isOver(): boolean {
    return this.#state === "stopped" || this.#state === "refused" || this.#state === "lost";
  }

  #elapsed(): number {
    return this.#now() - this.#requestedMs;
  }

  #sendDue(now: number): void {
    const { recording, firstMessage } = this.#plan;
    const socket = this.#socket;
    if (this.#state !== "open" || socket === undefined || this.#begun === 0) return;
    while (socket.writable) {
      const late = now - (this.#begun + this.#sent * recording.messageMs);
      if (late < 0) return;
      this.#meter.sent(late);
      socket.write(recording.frames[(firstMessage + this.#sent) % recording.frames.length]!);
      this.#sent += 1;
    }
    this.#meter.held(now - (this.#begun + this.#sent * recording.messageMs));
  }

  #receive(isText: boolean, payload: Uint8Array): void {
    const now = this.#now();
    if (!isText) {
      if (!this.#audioFollows) this.#meter.problem("a binary message that no event announced");
      this.#audioFollows = false;
      return;
    }
    try {
      this.#handle(parseEvent(new TextDecoder().decode(payload)), now);
    } catch (error) {
      this.#meter.problem(messageOf(error));
    }
  }

  #handle(event: ServerEvent, now: number): void {
    this.#results?.add(event);
    switch (event.type) {
      case "started":
        this.#results = new StreamResults(event, this.#plan.recording, this.#meter);
        this.#meter.started(this.#elapsed());
        this.#state = "open";
        if (this.#stopRequested) this.#stopWhenWritable();
        break;
      case "inactive":
        this.#results?.speechEnded(event);
        break;
      case "segment":
        this.#audioFollows = event.audio !== undefined;
        if (this.#state === "open") this.#results?.measure(event, now, this.#begun);
        break;
      case "data":
        this.#audioFollows = event.audio !== undefined;
        break;
      case "error":
        this.#takeError(event);
        break;
      case "warning":
        this.#meter.warning(event.code);
        break;
      case "stopped":
        this.#results?.stopped(event, this.#sent);
        this.#socket?.close(NORMAL_CLOSE);
        this.#finish("stopped");
        break;
      default:
    }
  }

  #takeError({ code, channel, fatal, message }: ErrorEvent): void {
    if (this.#state === "starting" && channel === undefined) {
      this.#meter.refused(code, this.#elapsed());
      this.#socket?.close(NORMAL_CLOSE);
      return this.#finish("refused");
    }
    this.#meter.error(code);
    if (fatal) this.#meter.problem(`${code}: ${message}`);
  }

  #closed(code: number, reason: string): void {
    if (this.#isOver) return;
    this.#meter.problem(`the connection was closed without \`stopped\` (${code}${reason && `: ${reason}`})`);
    this.#finish("lost");
  }

  #finish(state: State): void {
    if (this.#isOver) return;
    if (this.#state === "open" || this.#state === "stopping") {
      this.#meter.closed((this.#sent * this.#plan.recording.messageMs) / 1000);
    }
    this.#state = state;
    this.#over.resolve();
  }
}

/** Returns the kind of a refusal, for the report. */
function refusalOf(error: unknown): string {
  if (error instanceof UpgradeRefused) return `HTTP ${error.status}`;
  return error instanceof HandshakeFailed ? `cannot connect: ${error.message}` : "cannot connect";
}
