import type { Client } from "../../client/client.ts";
import { ConnectionError } from "../../client/errors.ts";
import type { ReceivedEvent } from "../../client/event-reader.ts";
import { codeOf, messageOf } from "../../lib/thrown.ts";
import { printablePath } from "../terminal/input.ts";
import type { Screen } from "../terminal/screen.ts";
import type { AudioOutput } from "./audio-output.ts";
import type { Drain } from "./drain.ts";
import { EventPrinter } from "./event-printer.ts";
import type { StreamReport } from "./report.ts";
import type { SendSettings } from "./settings.ts";

/** Receives the events of one stream: reports and prints them, and writes the audio of results to the output. */
export class EventReceiver {
  readonly #client: Client;
  readonly #report: StreamReport;
  readonly #screen: Screen;
  readonly #format: SendSettings["format"];
  readonly #printer: EventPrinter;
  /** Undefined: no output, or it could not be written. */
  #output: AudioOutput | undefined;
  readonly #drain: Drain;
  readonly #problems: string[] = [];

  constructor(
    client: Client,
    report: StreamReport,
    screen: Screen,
    format: SendSettings["format"],
    output: AudioOutput | undefined,
    drain: Drain,
  ) {
    this.#drain = drain;
    this.#client = client;
    this.#report = report;
    this.#screen = screen;
    this.#format = format;
    this.#printer = new EventPrinter(screen);
    this.#output = output;
  }

  /** Receives up to `stopped`, or to the end of the connection. Returns a sentence for each problem. */
  async run(): Promise<string[]> {
    try {
      for await (const received of this.#client.events) {
        this.#drain.received(received);
        const latencyMs = this.#report.received(received);
        await this.#writeAudio(received);
        await (this.#format === "json" ? this.#screen.print(received.text) : this.#printer.print(received, latencyMs));
        if (received.event.type === "stopped") break;
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#problems.push(error.message);
    }
    await this.#finishOutput();
    return this.#problems;
  }

  async #writeAudio({ event, audio }: ReceivedEvent): Promise<void> {
    if (audio === undefined || (event.type !== "segment" && event.type !== "data")) return;
    const rate = event.audio?.sample_rate ?? 0;
    await this.#tryOutput((output) => output.write(event.channel, audio, rate));
  }

  async #finishOutput(): Promise<void> {
    await this.#tryOutput((output) => output.finish());
    if (this.#output !== undefined && this.#output.sampleRate === undefined && this.#report.sentSeconds > 0) {
      this.#problems.push(`${this.#output.path}: not written: no result had audio; does this model return audio?`);
    }
  }

  /**
   * Writes to the output. After a failure, which is reported once, the stream continues without it. That the reader of
   * a pipe has gone, such as a player that was closed, is no failure.
   */
  async #tryOutput(write: (output: AudioOutput) => Promise<void>): Promise<void> {
    if (this.#output === undefined) return;
    try {
      await write(this.#output);
    } catch (error) {
      const { path } = this.#output;
      this.#output = undefined;
      if (codeOf(error) !== "EPIPE") this.#problems.push(`${path}: ${messageOf(error)}`);
      else
        await this.#screen.notice(`warning: the reader of ${printablePath(path)} has gone; it gets no more audio`, 2);
    }
  }
}
