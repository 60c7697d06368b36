import type { Dialect, Input, Message, Opened } from "../dialects/dialect.ts";
import { errorEvent } from "../protocol/error-event.ts";
import { ProtocolError } from "../protocol/errors.ts";
import type { Request, Start } from "../protocol/requests.ts";
import { openStream } from "../stream/open-stream.ts";
import type { StreamOwner } from "../stream/owner.ts";
import type { Services } from "../stream/services.ts";
import type { Abort, Stream } from "../stream/stream.ts";
import type { ConnectionTrace } from "../telemetry/tracing/tracing.ts";
import { firstDemand } from "./first-demand.ts";
import { Inputs, isStart } from "./inputs.ts";
import { NewRates } from "./new-rates.ts";
import type { QueueBudget } from "./queue-budget.ts";

/** The session, as its conversation uses it. */
export interface ConversationOwner extends StreamOwner {
  readonly id: string;
  /** Sends messages of the dialect's own. */
  reply(messages: readonly (string | Uint8Array)[]): void;
  /** Ends the session in place of a start if no more streams may start. Returns false if they may. */
  refuseStart(): boolean;
}

/**
 * The result of one step. `moved`: call again; `blocked`: nothing can be done now; `exhausted`: the client has sent
 * nothing more; `disconnect`: the connection is to be closed, since the client or its dialect asks for
 * it, and the last stream is over.
 */
export type StepResult = "moved" | "blocked" | "exhausted" | "disconnect";

/** The client's inputs, taken in turn, and the stream that they open, feed and end: one at a time. */
export class Conversation {
  readonly inputs: Inputs;
  readonly #owner: ConversationOwner;
  readonly #opened: Opened;
  readonly #services: Services;
  readonly #trace: ConnectionTrace;
  readonly #dialect: Dialect;
  readonly #rates: NewRates;
  readonly #results: QueueBudget;
  /** To be called when the first start has come, or will not. */
  readonly #arrived: () => void;
  #stream: Stream | undefined;
  /** Number of the next stream. */
  #count = 0;
  #disconnect = false;
  /** Audio that belongs to no stream has been reported. */
  #strayAudioReported = false;

  /** @param results budget of what waits to be answered and sent in all sessions */
  constructor(
    owner: ConversationOwner,
    dialect: Dialect,
    opened: Opened,
    services: Services,
    trace: ConnectionTrace,
    results: QueueBudget,
  ) {
    this.#owner = owner;
    this.#dialect = dialect;
    this.#opened = opened;
    this.#services = services;
    this.#trace = trace;
    this.#results = results;
    this.inputs = new Inputs(dialect);
    this.#rates = new NewRates(services.clock());
    const hasStreams = opened.calls?.role !== "watches";
    this.#arrived = hasStreams ? services.admission.expect(firstDemand(opened, services.models)) : () => undefined;
  }

  /** The open stream. */
  get stream(): Stream | undefined {
    return this.#stream;
  }

  /** Nothing waits to be processed or answered. */
  get idle(): boolean {
    return this.inputs.empty && this.#stream?.idle !== false;
  }

  /**
   * Takes a message of the client. It waits among the inputs, unless it is audio for the open stream and nothing is in
   * front of it, which is the usual case.
   * @param waits something else has to be done first
   */
  receive(message: Message, waits: boolean): void {
    const stream = this.#stream;
    const isNext = !waits && stream?.ready === true && this.inputs.empty;
    if (isNext && typeof message !== "string" && this.#opened.traits.binaryIsAudio) stream.offer(message);
    else this.inputs.push(message);
  }

  /**
   * Continues the stream, or handles the next input. @param congested the client does not take its results: no input is
   * handled
   */
  step(congested: boolean): StepResult {
    const stream = this.#stream;
    if (stream !== undefined) {
      if (!this.#advance(stream)) return "blocked";
      if (stream.over) {
        this.#stream = undefined;
        return this.#disconnect || this.#dialect.endsAfterStream?.() === true ? "disconnect" : "moved";
      }
      // Audio that does not fit stays in the stream. Other inputs wait, since a flush would add to what is pending.
      if (!this.inputs.empty && !this.inputs.nextIsAudio && stream.full) return "blocked";
    }
    if (!this.inputs.empty && (congested || this.#overBudget)) return "blocked";
    const input = this.inputs.shift();
    if (input === undefined) return "exhausted";
    if (stream !== undefined && isStart(input)) {
      this.inputs.postpone(input);
      stream.end("restart");
    } else this.#handle(input);
    return "moved";
  }

  /** No stream comes any more. */
  leave(): void {
    this.#arrived();
  }

  /**
   * The client has closed the connection. If that is a stop, and everything has been answered, the open stream ends as
   * it does after one. Returns true if it did.
   */
  left(): boolean {
    const stream = this.#stream;
    if (this.#opened.traits.closingIsStop !== true || stream === undefined || !this.idle) return false;
    stream.end("stop");
    stream.advance();
    return stream.over;
  }

  /** Ends the open stream now: errors name everything without an answer. Returns false when no stream is open. */
  abort(abort: Abort): boolean {
    const stream = this.#stream;
    if (stream === undefined || stream.over) return false;
    stream.abort(abort, stream.ending ? 0 : this.inputs.drainAudio());
    return true;
  }

  /** All sessions together have much to answer, and this one has more than its part. */
  get #overBudget(): boolean {
    return this.#results.tight && (this.#stream?.queuedBytes ?? 0) > this.#results.limit(Infinity);
  }

  #advance(stream: Stream): boolean {
    if (this.#dialect.decoded === undefined) return stream.advance();
    const { decodedSeconds } = stream;
    const advanced = stream.advance();
    if (stream.decodedSeconds > decodedSeconds && !stream.over) {
      this.#owner.reply(this.#dialect.decoded(stream.decodedSeconds));
    }
    return advanced;
  }

  #handle(input: Input): void {
    if (isStart(input) && this.#owner.refuseStart()) return;
    switch (input.kind) {
      case "audio":
        return this.#takeAudio(input.bytes);
      case "reply":
        return this.#owner.reply(input.messages());
      case "refused":
        if (isStart(input)) this.#services.metrics.streamRefused(input.error.code);
        return this.#refuse(input.error);
      case "request":
        return this.#handleRequest(input.request);
    }
  }

  #takeAudio(bytes: Uint8Array): void {
    if (this.#stream !== undefined) this.#stream.offer(bytes);
    else if (!this.#strayAudioReported) {
      this.#strayAudioReported = true;
      const message = "audio came while no stream was open; it is discarded";
      this.#refuse(new ProtocolError("audio_before_start", message));
    }
  }

  #handleRequest(request: Request): void {
    try {
      switch (request.request) {
        case "start":
          this.#start(request);
          break;
        case "stop":
          this.#openStream("stop").end("stop");
          this.#disconnect = request.disconnect;
          break;
        case "flush":
          this.#openStream("flush").flush();
          break;
        case "keep_alive":
          break;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (request.request === "start") this.#services.metrics.streamRefused(error.code);
      this.#refuse(error);
    }
  }

  #refuse(error: ProtocolError): void {
    this.#owner.send(errorEvent(error));
  }

  #openStream(request: string): Stream {
    if (this.#stream === undefined) throw new ProtocolError("no_stream", `${request}: no stream is open`);
    return this.#stream;
  }

  #start(start: Start): void {
    this.#arrived();
    this.#rates.use(start.format.sample_rate, this.#services.clock());
    const place = { session: this.#owner.id, index: this.#count, pattern: this.#opened.pattern, trace: this.#trace };
    const { stream, index, events } = openStream(start, place, this.#owner, this.#services);
    this.#stream = stream;
    // A stream that goes on from another connection keeps its number.
    this.#count = index + 1;
    this.#strayAudioReported = false;
    for (const event of events) this.#owner.send(event);
  }
}
