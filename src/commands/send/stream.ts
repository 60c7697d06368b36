import type { Client } from "../../client/client.ts";
import { ConnectionError, StartRefused } from "../../client/errors.ts";
import type { ReceivedEvent } from "../../client/event-reader.ts";
import { type AudioFormat, frameBytes } from "../../protocol/format.ts";
import type { Source } from "../terminal/audio-source.ts";
import type { Screen } from "../terminal/screen.ts";
import type { AudioFile } from "./audio-file.ts";
import { TextView } from "./event-text.ts";
import type { Report } from "./report.ts";
import type { SendIo } from "./send.ts";
import type { SendSettings } from "./settings.ts";

/** Without --chunk-size a message has this much audio, if a server's usual limit lets it. */
const CHUNK_SECONDS = 0.1;
const MAX_DEFAULT_CHUNK_BYTES = 1024 * 1024;
const PROGRESS_MS = 100;
const BAR_WIDTH = 30;

/** One stream, its two directions at once. */
export class Stream {
  readonly #settings: SendSettings;
  readonly #io: SendIo;
  readonly #screen: Screen;
  readonly #source: Source;
  readonly #client: Client;
  readonly #report: Report;
  readonly #view: TextView;
  /** Undefined when nothing is to be written, or nothing can be any more. */
  #output: AudioFile | undefined;
  /** Aborted when the server has ended the stream. */
  readonly #over = new AbortController();
  readonly #problems: string[] = [];
  #complete = false;

  constructor(
    settings: SendSettings,
    io: SendIo,
    screen: Screen,
    source: Source,
    client: Client,
    report: Report,
    output: AudioFile | undefined,
  ) {
    this.#settings = settings;
    this.#io = io;
    this.#screen = screen;
    this.#source = source;
    this.#client = client;
    this.#report = report;
    this.#output = output;
    this.#view = new TextView(screen);
  }

  /** Returns what went wrong, in sentences. */
  async run(): Promise<string[]> {
    const sending = this.#send();
    await this.#receive();
    this.#over.abort();
    this.#client.close();
    await sending;
    await this.#finishOutput();
    this.#screen.clear();
    const lost = this.#problems.length > 0;
    if (!lost || this.#report.stopped !== undefined) this.#problems.push(...this.#report.problems(this.#complete));
    return this.#problems;
  }

  async #receive(): Promise<void> {
    try {
      for await (const received of this.#client.events) {
        const latency = this.#report.received(received);
        await this.#keepAudio(received);
        const { format } = this.#settings;
        await (format === "json" ? this.#screen.print(received.text) : this.#view.show(received, latency));
        if (received.event.type === "stopped") return;
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#problems.push(error.message);
    }
  }

  async #keepAudio({ event, audio }: ReceivedEvent): Promise<void> {
    if (audio === undefined || (event.type !== "segment" && event.type !== "data")) return;
    const rate = event.audio?.sample_rate ?? 0;
    await this.#write(async (output) => await output.write(event.channel, audio, rate));
  }

  async #finishOutput(): Promise<void> {
    await this.#write(async (output) => await output.finish());
    if (this.#output?.sampleRate === undefined && this.#output !== undefined && this.#report.sentSeconds > 0) {
      this.#problems.push(`${this.#output.path}: nothing to write, for no result had audio; does this model send any?`);
    }
  }

  /** A file that cannot be written is said once, and the stream goes on. */
  async #write(work: (output: AudioFile) => Promise<void>): Promise<void> {
    if (this.#output === undefined) return;
    try {
      await work(this.#output);
    } catch (error) {
      this.#problems.push(`${this.#output.path}: ${error instanceof Error ? error.message : String(error)}`);
      this.#output = undefined;
    }
  }

  async #send(): Promise<void> {
    let keepAlive: ReturnType<typeof setInterval> | undefined;
    try {
      const { limits } = await this.#client.started();
      keepAlive = this.#keepAlive(limits.idle_timeout_ms);
      await this.#sendAudio();
      if (this.#over.signal.aborted) return;
      this.#client.stop();
      this.#complete = true;
    } catch (error) {
      // The server's error has been shown, and a lost connection is reported where events are read.
      if (error instanceof StartRefused) this.#client.close();
      else if (!(error instanceof ConnectionError)) {
        this.#problems.push(`${this.#source.name}: ${error instanceof Error ? error.message : String(error)}`);
        if (this.#client.isOpen) this.#client.stop();
      }
    } finally {
      clearInterval(keepAlive);
    }
  }

  async #sendAudio(): Promise<void> {
    const source = this.#source;
    const clock = this.#io.clock;
    const halt = AbortSignal.any([this.#io.interrupt, this.#over.signal]);
    const frame = frameBytes(source.format);
    let begin: number | undefined;
    let bytes = 0;
    let shown = 0;
    for await (const chunk of source.chunks(this.#settings.chunkBytes ?? defaultChunk(source.format))) {
      begin ??= clock.now();
      bytes += chunk.length;
      if (this.#settings.realTime) {
        // A chunk can be sent when its last sample has been spoken, and never later because an earlier one was late.
        await clock.sleepUntil(begin + (Math.floor(bytes / frame) / source.format.sample_rate) * 1000, halt);
      }
      if (halt.aborted) return;
      await this.#client.send(chunk);
      const now = clock.now();
      this.#report.sent(bytes, now);
      if (now - shown >= PROGRESS_MS) {
        shown = now;
        this.#progress();
      }
    }
    if (source.missingBytes > 0 && !halt.aborted) {
      await this.#screen.note(
        `warning: ${source.name} is cut off: its header promises ${source.missingBytes} bytes of audio more than it has`,
      );
    }
  }

  #progress(): void {
    if (this.#settings.realTime || !this.#screen.showsProgress) return;
    const sent = this.#report.sentSeconds;
    const whole = this.#source.seconds;
    const share = whole === undefined || whole === 0 ? undefined : Math.min(1, sent / whole);
    const done = Math.round((share ?? 0) * BAR_WIDTH);
    const bar =
      share === undefined ? "" : `[${"#".repeat(done).padEnd(BAR_WIDTH, ".")}] ${Math.round(share * 100)} %  `;
    const of = whole === undefined ? "" : ` of ${whole.toFixed(1)}`;
    this.#screen.live("progress", `${bar}${sent.toFixed(1)}${of} s sent`);
  }

  /** A silent source must not look like a dead one. */
  #keepAlive(idleTimeoutMs: number): ReturnType<typeof setInterval> | undefined {
    if (idleTimeoutMs === 0) return undefined;
    let before = -1;
    return setInterval(
      () => {
        if (this.#client.isOpen && this.#client.sentBytes === before) this.#client.keepAlive();
        before = this.#client.sentBytes;
      },
      Math.max(1, idleTimeoutMs / 3),
    );
  }
}

function defaultChunk(format: AudioFormat): number {
  const frame = frameBytes(format);
  const frames = Math.min(Math.round(format.sample_rate * CHUNK_SECONDS), Math.floor(MAX_DEFAULT_CHUNK_BYTES / frame));
  return frames * frame;
}
