// The conversation of one connection as docs/protocol.md describes it: what was sent decides what must come back.

import type { ChannelLedger, ServerEvent, Stopped } from "../../../src/protocol/events.ts";
import type { Sent } from "./grammar.ts";
import type { Fault, Server, StartFields, Verdict } from "./verdict.ts";

type Path = Server["path"];

const MODEL_RATE = 16_000;
const MOST_TEXT_BYTES = 65_536;
const MOST_AUDIO_BYTES = 1_048_576;
/** Audio that is no PCM, by the first bytes. */
const MARKS = ["OggS", "fLaC", "\x1aE\xdf\xa3", "#!AMR", ".snd", "RIFX", "TTA1"];
const WARNINGS = [
  ...["wav_header", "wav_data", "looks_like", "too_quiet", "clipping", "silence", "not_a_number", "out_of_range"],
  "identical_channels",
];

/** The server has broken the protocol. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** What must come, in this order. Results, speech events and warnings may come in between. */
type Expected =
  | { readonly type: "error"; readonly faults: readonly Fault[]; readonly fatal: boolean }
  | { readonly type: "started"; readonly stream: OpenStream }
  | { readonly type: "stopped"; readonly stream: OpenStream; readonly reason: string };

/** One stream: what was sent for it and what has come of it. */
class OpenStream {
  readonly start: StartFields;
  readonly index: number;
  bytes = 0;
  flushes = 0;
  flushed = 0;
  /** The fatal error of its spans. */
  endedBy: string | undefined;
  readonly warned = new Set<string>();
  readonly channels: ChannelState[];

  constructor(start: StartFields, index: number) {
    this.start = start;
    this.index = index;
    this.channels = Array.from({ length: start.channels }, () => ({
      answered: 0,
      inferred: 0,
      failed: 0,
      segments: 0,
      errors: 0,
      speaking: false,
    }));
  }

  get frameBytes(): number {
    const { channels, bitDepth } = this.start;
    return (channels * bitDepth) / 8;
  }
}

/** Samples of one channel that have an answer, and counts of the answers. */
interface ChannelState {
  /** End of the last final or error. */
  answered: number;
  inferred: number;
  failed: number;
  segments: number;
  errors: number;
  speaking: boolean;
}

/** Follows one connection. Throws a Violation for an event that must not come. */
export class ConversationModel {
  readonly #path: Path;
  readonly #judge: (path: Path, text: string) => Verdict;
  readonly #mayWait: boolean;
  #expected: Expected[] = [];
  /** The stream that the client's next audio belongs to. */
  #sending: OpenStream | undefined;
  /** The stream that the server's events belong to. */
  #answering: OpenStream | undefined;
  #strayReported = false;
  #sessionId = "";
  /** Close code that must come; messages are ignored from here on. */
  #close: number | undefined;
  /** Messages that are answered with an error. */
  refusals = 0;
  /** Streams opened. */
  streams = 0;

  /**
   * @param judge returns what must become of a text on a path
   * @param mayWait messages may wait for a turn of a server that has others to serve
   */
  constructor(path: Path, judge: (path: Path, text: string) => Verdict, mayWait = false) {
    this.#path = path;
    this.#judge = judge;
    this.#mayWait = mayWait;
  }

  /** Bytes of a frame of the open stream; 0: none is open. */
  get frameBytes(): number {
    return this.#sending?.frameBytes ?? 0;
  }

  get sentBytes(): number {
    return this.#sending?.bytes ?? 0;
  }

  /** The server closes the connection with this code once everything is answered. */
  get closeCode(): number | undefined {
    return this.#close;
  }

  /** Everything that must come has come. */
  get settled(): boolean {
    if (this.#expected.length > 0) return false;
    const stream = this.#sending;
    return (
      stream === undefined || (this.#answering === stream && stream.flushed === stream.flushes * stream.start.channels)
    );
  }

  /** The client sends a message. */
  sent(message: Sent): void {
    if (this.#close !== undefined) return;
    if (typeof message !== "string") this.#sentAudio(message);
    else if (Buffer.byteLength(message) > MOST_TEXT_BYTES) this.#tooBig();
    else this.#sentText(message);
  }

  /** An event has come. */
  received(event: ServerEvent): void {
    switch (event.type) {
      case "started":
        return this.#started(event);
      case "stopped":
        return this.#stopped(event);
      case "error":
        return event.start_time === undefined ? this.#error(event) : this.#answer(event, false);
      case "segment":
        return event.is_final === false ? undefined : this.#answer(event, true);
      case "active":
      case "inactive": {
        const state = this.#channel(event.channel);
        if (state.speaking === (event.type === "active")) throw violation(`${event.type} twice`, event);
        state.speaking = !state.speaking;
        return;
      }
      case "flushed":
        this.#stream(event).flushed += 1;
        return;
      case "warning":
        return this.#warning(event);
      default:
        throw violation("an event that cannot come", event);
    }
  }

  /** Everything was answered. @param code of the close; undefined: the connection is open */
  end(code: number | undefined): void {
    if (this.#expected.length > 0) throw violation("this did not come", this.#expected[0]);
    if (code !== this.#close) throw violation(`the connection closed with ${code}; expected: ${this.#close}`, {});
  }

  #sentText(text: string): void {
    const verdict = this.#judge(this.#path, text);
    switch (verdict.kind) {
      case "refused":
        if (verdict.meansStart) this.#stopBefore("restart");
        return this.#refuse(verdict.faults);
      case "start": {
        this.#stopBefore("restart");
        const stream = new OpenStream(verdict.start, this.streams);
        this.streams += 1;
        this.#sending = stream;
        this.#strayReported = false;
        return void this.#expected.push({ type: "started", stream });
      }
      case "stop":
        if (this.#sending === undefined) return this.#refuse([{ code: "no_stream", param: undefined }]);
        this.#stopBefore("stop");
        if (verdict.disconnect) this.#close = 1000;
        return;
      case "flush":
        if (this.#sending === undefined) return this.#refuse([{ code: "no_stream", param: undefined }]);
        this.#sending.flushes += 1;
        return;
      case "keep_alive":
        return;
    }
  }

  #sentAudio(bytes: Uint8Array): void {
    if (bytes.length > MOST_AUDIO_BYTES) return this.#tooBig();
    const stream = this.#sending;
    if (stream === undefined) {
      if (!this.#strayReported) this.#refuse([{ code: "audio_before_start", param: undefined }]);
      this.#strayReported = true;
      return;
    }
    const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(8, bytes.length)).toString("latin1");
    if (stream.bytes === 0 && MARKS.some((mark) => start.startsWith(mark))) {
      this.#refuse([{ code: "format_mismatch", param: undefined }]);
      this.#stopBefore("error");
    } else stream.bytes += bytes.length;
  }

  #stopBefore(reason: string): void {
    if (this.#sending !== undefined) this.#expected.push({ type: "stopped", stream: this.#sending, reason });
    this.#sending = undefined;
  }

  #refuse(faults: readonly Fault[]): void {
    this.refusals += 1;
    this.#expected.push({ type: "error", faults, fatal: false });
  }

  #tooBig(): void {
    this.refusals += 1;
    this.#expected.push({ type: "error", faults: [{ code: "message_too_big", param: undefined }], fatal: true });
    this.#stopBefore("limit");
    this.#close = 1009;
  }

  #take<Type extends Expected["type"]>(type: Type, event: unknown): Extract<Expected, { type: Type }> {
    const expected = this.#expected.shift();
    if (expected?.type !== type) throw violation(`expected: ${describe(expected)}`, event);
    return expected as Extract<Expected, { type: Type }>;
  }

  #started(event: Extract<ServerEvent, { type: "started" }>): void {
    const { stream } = this.#take("started", event);
    const { channels, rate, bitDepth, isFloat, encoding } = stream.start;
    const { format } = event;
    const found = [format.channels, format.sample_rate, format.bit_depth, format.is_float, format.encoding];
    if (JSON.stringify(found) !== JSON.stringify([channels, rate, bitDepth, isFloat, encoding])) {
      throw violation(`expected: the format of ${JSON.stringify(stream.start)}`, event);
    }
    if (event.stream !== stream.index) throw violation(`expected: stream ${stream.index}`, event);
    if (this.#sessionId !== "" && event.session_id !== this.#sessionId) throw violation("another session id", event);
    this.#sessionId = event.session_id;
    this.#answering = stream;
  }

  /**
   * A message that is too big ends the connection when it comes: what was sent before, and waits until the results of a
   * stream have been sent, or for a turn of the server, is not read any more. The stream that is open is ended by it.
   */
  #cutShort(): void {
    const index = this.#expected.findIndex((each) => each.type === "error" && each.fatal);
    const stream = this.#answering;
    if (index <= 0) return;
    if (!this.#mayWait && (this.#expected[0]?.type !== "stopped" || stream === undefined)) return;
    const end: Expected[] = stream === undefined ? [] : [{ type: "stopped", stream, reason: "limit" }];
    this.#expected = [...this.#expected.slice(index, index + 1), ...end];
  }

  #error(event: Extract<ServerEvent, { type: "error" }>): void {
    if (event.fatal) this.#cutShort();
    const { faults, fatal } = this.#take("error", event);
    if (!faults.some(({ code, param }) => code === event.code && param === event.param)) {
      throw violation(`expected: one of ${JSON.stringify(faults)}`, event);
    }
    if (event.fatal !== fatal || event.message === "")
      throw violation(`expected: fatal ${fatal}, and a message`, event);
  }

  /** A final, or an error in its place: finals and errors of a channel cover its samples in order. */
  #answer(event: Extract<ServerEvent, { type: "segment" | "error" }>, isFinal: boolean): void {
    const [start, end] = [sampleAt(event.start_time), sampleAt(event.end_time)];
    const state = this.#channel(event.channel);
    if (start < state.answered || end <= start) throw violation(`expected: a span after ${state.answered}`, event);
    if (this.#path !== "segmented" && start !== state.answered) {
      throw violation(`expected: a span that begins at ${state.answered}`, event);
    }
    state.answered = end;
    if (isFinal) {
      state.inferred += end - start;
      state.segments += 1;
      if (event.type === "segment" && event["count"] !== end - start)
        throw violation("another count of samples", event);
    } else {
      state.failed += end - start;
      state.errors += 1;
      if (event.type === "error" && event.fatal) this.#stream(event).endedBy = event.code;
    }
  }

  #warning(event: Extract<ServerEvent, { type: "warning" }>): void {
    const stream = this.#stream(event);
    const key = event.code;
    if (!WARNINGS.includes(event.code)) throw violation("an unknown warning", event);
    if (stream.warned.has(key)) throw violation("a warning twice", event);
    stream.warned.add(key);
  }

  #stopped(event: Stopped): void {
    if (event.reason === "limit") this.#cutShort();
    // Errors of spans say it, too, and there is no other then.
    const [end] = this.#expected;
    if (end?.type === "error" && end.fatal && this.#answering?.endedBy === end.faults[0]?.code) this.#expected.shift();
    const { stream, reason } = this.#take("stopped", event);
    if (event.reason !== reason) throw violation(`expected: reason ${reason}`, event);
    if (stream !== this.#answering) throw violation("expected: started first", event);
    const { channels, rate } = stream.start;
    const frames = Math.floor(stream.bytes / stream.frameBytes);
    if (event.trailing_bytes !== stream.bytes % stream.frameBytes || event.skipped_bytes !== 0) {
      throw violation(`expected: trailing_bytes ${stream.bytes % stream.frameBytes}, skipped_bytes 0`, event);
    }
    if (event.channels.length !== channels) throw violation(`expected: ${channels} channels`, event);
    const decoded = Math.floor((2 * frames * MODEL_RATE + rate) / (2 * rate));
    event.channels.forEach((ledger, channel) => {
      this.#checkLedger(ledger, { channel, frames, decoded, rate }, stream.channels[channel]!, event);
    });
    if (stream.flushed !== stream.flushes * channels) {
      throw violation(`expected: ${stream.flushes * channels} flushed, not ${stream.flushed}`, event);
    }
    this.#answering = undefined;
  }

  #checkLedger(
    ledger: ChannelLedger,
    sent: { channel: number; frames: number; decoded: number; rate: number },
    state: ChannelState,
    event: Stopped,
  ): void {
    const silent = sent.decoded - state.inferred - state.failed;
    const expected = {
      channel: sent.channel,
      received: sent.frames,
      received_rate: sent.rate,
      decoded: sent.decoded,
      inferred: state.inferred,
      silent,
      failed: state.failed,
      segments: state.segments,
      errors: state.errors,
    };
    for (const [name, value] of Object.entries(expected)) {
      if (ledger[name as keyof ChannelLedger] !== value) {
        throw violation(`channel ${sent.channel}: expected: ${name} ${value}`, event);
      }
    }
    if (silent < 0 || (this.#path !== "segmented" && silent > 0)) throw violation("samples without a result", event);
  }

  #channel(channel: number | undefined): ChannelState {
    const state = this.#answering?.channels[channel ?? -1];
    if (state === undefined) throw violation("an event of no channel of an open stream", { channel });
    return state;
  }

  #stream(event: unknown): OpenStream {
    if (this.#answering === undefined) throw violation("an event of no open stream", event);
    return this.#answering;
  }
}

function sampleAt(time: number | undefined): number {
  return Math.round((time ?? Number.NaN) * MODEL_RATE);
}

function describe(expected: Expected | undefined): string {
  if (expected === undefined) return "nothing";
  if (expected.type === "error") return JSON.stringify(expected.faults);
  return expected.type === "stopped" ? `stopped (${expected.reason})` : "started";
}

function violation(problem: string, event: unknown): Violation {
  return new Violation(`${problem}; found: ${JSON.stringify(event)?.slice(0, 1_000)}`);
}
