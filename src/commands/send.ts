import { defineCommand } from "citty";

import { type Client, connect } from "../client/client.ts";
import { ConnectionError, StartRefused } from "../client/errors.ts";
import { type AudioFormat, frameBytes } from "../protocol/format.ts";
import { EXIT, ExitCode } from "./exit.ts";
import { type Clock, processClock } from "./send-clock.ts";
import { refusal } from "./send-refusal.ts";
import { Report } from "./send-report.ts";
import { type Output, processOutput, Screen } from "./send-screen.ts";
import { SEND_ARGS, type SendSettings, sendSettings, startFields } from "./send-settings.ts";
import { audioSource, type Bytes, type Input, openFile, readStream, type Source } from "./send-source.ts";
import { TextView } from "./send-text.ts";

/** Without --chunk-size a message has this much audio, if a server's usual limit lets it. */
const CHUNK_SECONDS = 0.1;
const MAX_DEFAULT_CHUNK_BYTES = 1024 * 1024;
const PROGRESS_MS = 100;
const BAR_WIDTH = 30;

/** What the command sees of the world. */
export interface SendIo {
  /** Opens standard input; reads end when the signal is aborted. */
  readonly stdin: (signal: AbortSignal) => Bytes;
  readonly out: Output;
  readonly err: Output;
  readonly clock: Clock;
  /** Aborted by the first Ctrl-C: no more audio, but every result of what was sent. */
  readonly interrupt: AbortSignal;
  readonly colour: boolean;
}

/**
 * Sends one recording and shows what comes back. Returns the exit code, having said why on standard error; throws UsageError
 * before anything is sent.
 */
export async function send(settings: SendSettings, io: SendIo): Promise<number> {
  const screen = new Screen(io.out, io.err, { colour: io.colour });
  await using input = await openInput(settings.input, io);
  const source = await audioSource(input.name, input.bytes, input.size, settings.raw);
  const start = startFields(settings, source.format, source.name);
  const begin = io.clock.now();
  let client: Client;
  try {
    client = await connect(settings.addr, start, { now: io.clock.now });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    await screen.note(`cannot connect to ${settings.addr.href}: ${await refusal(settings.addr)}`);
    return EXIT.unreachable;
  }
  const report = new Report(source.format, begin);
  if (settings.format === "text") await screen.print(`${describe(source)} -> ${settings.addr.href}`);
  const stream = new Stream(settings, io, screen, source, client, report);
  const problems = await stream.run();
  const say = (line: string) => (settings.format === "text" ? screen.print(line) : screen.note(line));
  if (report.stopped !== undefined) {
    const pace = settings.realTime ? "paced in real time" : "as fast as possible";
    await say("");
    for (const line of report.lines(io.clock.now(), pace)) await say(line);
    await say(`result      ${report.totals(problems)}`);
  }
  for (const problem of problems) await screen.note(`problem: ${problem}`);
  return problems.length > 0 || report.errors > 0 ? EXIT.failed : EXIT.good;
}

async function openInput(path: string, io: SendIo): Promise<Input & { name: string }> {
  if (path !== "-") return { ...(await openFile(path)), name: path };
  const bytes = io.stdin(io.interrupt);
  return { name: "standard input", bytes, size: undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
}

function describe({ name, format, seconds }: Source): string {
  const kind =
    format.encoding === "pcm" ? `${format.bit_depth} bit${format.is_float ? " float" : ""}` : format.encoding;
  const length = seconds === undefined ? "length unknown" : `${seconds.toFixed(2)} s`;
  return `${name}: ${length}, ${format.sample_rate} Hz, ${format.channels} channel${format.channels === 1 ? "" : "s"}, ${kind}`;
}

function defaultChunk(format: AudioFormat): number {
  const frame = frameBytes(format);
  const frames = Math.min(Math.round(format.sample_rate * CHUNK_SECONDS), Math.floor(MAX_DEFAULT_CHUNK_BYTES / frame));
  return frames * frame;
}

/** One stream, its two directions at once. */
class Stream {
  readonly #settings: SendSettings;
  readonly #io: SendIo;
  readonly #screen: Screen;
  readonly #source: Source;
  readonly #client: Client;
  readonly #report: Report;
  readonly #view: TextView;
  /** Aborted when the server has ended the stream. */
  readonly #over = new AbortController();
  readonly #problems: string[] = [];
  #complete = false;

  constructor(settings: SendSettings, io: SendIo, screen: Screen, source: Source, client: Client, report: Report) {
    this.#settings = settings;
    this.#io = io;
    this.#screen = screen;
    this.#source = source;
    this.#client = client;
    this.#report = report;
    this.#view = new TextView(screen);
  }

  /** Returns what went wrong, in sentences. */
  async run(): Promise<string[]> {
    const sending = this.#send();
    await this.#receive();
    this.#over.abort();
    this.#client.close();
    await sending;
    this.#screen.clear();
    const lost = this.#problems.length > 0;
    if (!lost || this.#report.stopped !== undefined) this.#problems.push(...this.#report.problems(this.#complete));
    return this.#problems;
  }

  async #receive(): Promise<void> {
    try {
      for await (const received of this.#client.events) {
        const latency = this.#report.received(received);
        const { format } = this.#settings;
        await (format === "json" ? this.#screen.print(received.text) : this.#view.show(received, latency));
        if (received.event.type === "stopped") return;
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#problems.push(error.message);
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

export const sendCommand = defineCommand({
  meta: { name: "send", description: "Stream a recording to a server and show what comes back" },
  args: SEND_ARGS,
  async run({ rawArgs }) {
    const settings = sendSettings(rawArgs);
    const interrupt = new AbortController();
    const ended = Promise.withResolvers<number>();
    const onSignal = () => {
      if (interrupt.signal.aborted) ended.resolve(EXIT.interrupted);
      interrupt.abort();
    };
    process.on("SIGINT", onSignal);
    try {
      const sending = send(settings, {
        stdin: (signal) => readStream(Bun.stdin.stream(), signal),
        // Nobody reads the results: the work is done, as for any command before `head`.
        out: processOutput(process.stdout, () => ended.resolve(EXIT.good)),
        err: processOutput(process.stderr, () => undefined),
        clock: processClock,
        interrupt: interrupt.signal,
        colour: (process.env["NO_COLOR"] ?? "") === "",
      });
      const code = await Promise.race([sending, ended.promise]);
      if (code !== EXIT.good) throw new ExitCode(code);
    } finally {
      process.off("SIGINT", onSignal);
    }
  },
});
