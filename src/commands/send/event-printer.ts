import type { ReceivedEvent } from "../../client/event-reader.ts";
import { excerpt } from "../../lib/excerpt.ts";
import type { ErrorEvent, ServerEvent, Warning } from "../../protocol/events.ts";
import { formatNumber } from "../terminal/numbers.ts";
import type { Colour, Screen } from "../terminal/screen.ts";
import { formatOutput } from "./output-text.ts";
import { describeRetry } from "./retry.ts";

const CHANNEL_WIDTH = 5;
const TIME_WIDTH = 18;
/** Where the text of a line begins. On a terminal, a longer text is continued there. */
const TEXT_COLUMN = CHANNEL_WIDTH + TIME_WIDTH + 2;
const INTERIM = "interim ";
/** Colours of the words of each channel, in turn. */
const VOICES = ["cyan", "magenta"] as const satisfies readonly Colour[];

/** Prints the events of one stream as text, a line each. On a terminal, interim results are updated in place. */
export class EventPrinter {
  readonly #screen: Screen;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** Prints an event. `latencyMs` is that of a final result. Returns a promise if the output cannot take more now. */
  print({ event, audio }: ReceivedEvent, latencyMs: number | undefined): Promise<void> | undefined {
    const screen = this.#screen;
    switch (event.type) {
      case "active":
        return this.#printLine(event.channel, formatSeconds(event.time), "speech begins", "green");
      case "inactive":
        return this.#printLine(event.channel, formatSeconds(event.time), "speech ends");
      case "segment":
        return this.#printSegment(event, audio, latencyMs);
      case "data":
        return screen.print(formatLine(event.channel, "", this.#output(event, audio)), TEXT_COLUMN);
      case "flushed":
        return this.#printLine(event.channel, formatSeconds(event.time), "flushed");
      case "error": {
        if (event.channel !== undefined) screen.setLive(interimName(event.channel), undefined);
        const text = `error ${event.code}: ${event.message}${retryHint(event)}`;
        return this.#printLine(event.channel, formatSpan(event.start_time, event.end_time), text, "red");
      }
      case "warning":
        return this.#printLine(
          event.channel,
          "",
          `warning ${event.code}: ${event.message}${deadline(event)}`,
          "yellow",
        );
      case "started": {
        const traceId = event.trace_id.split("-")[1] ?? event.trace_id;
        const model = `model ${event.model} at ${formatNumber(event.sample_rate)} Hz`;
        return screen.print(printable(`stream ${event.stream}: ${model}, trace ${traceId}`), 2);
      }
      case "stopped":
        return undefined;
      default:
        // An event of a later version of the protocol.
        return screen.print(printable(JSON.stringify(event)));
    }
  }

  #printSegment(
    event: Extract<ServerEvent, { type: "segment" }>,
    audio: Float32Array | undefined,
    latencyMs: number | undefined,
  ): Promise<void> | undefined {
    const span = formatSpan(event.start_time, event.end_time);
    if (event.is_final === false) return this.#printInterim(event.channel, span, describe(event, audio));
    this.#screen.setLive(interimName(event.channel), undefined);
    const final = event.is_final === true ? "final  " : "";
    const line = formatLine(event.channel, span, `${final}${this.#output(event, audio)}`);
    if (latencyMs === undefined) return this.#screen.print(line, TEXT_COLUMN);
    const latency = this.#screen.paint("dim", `${Math.round(latencyMs)} ms after end of speech`);
    return this.#screen.print(line, TEXT_COLUMN, latency);
  }

  /** Prints a line, or on a terminal updates it in place: the end of a long text stays in sight, since it is the news. */
  #printInterim(channel: number, span: string, text: string): Promise<void> | undefined {
    const line = formatLine(channel, span, `${INTERIM}${text}`);
    if (!this.#screen.resultsOnTerminal) return this.#screen.print(line, TEXT_COLUMN);
    this.#screen.setLive(interimName(channel), line, TEXT_COLUMN + INTERIM.length);
    return undefined;
  }

  /** Formats the output of a model, the words in the colour of their channel. */
  #output(event: OutputEvent, audio: Float32Array | undefined): string {
    const colour = VOICES[event.channel % VOICES.length] ?? "cyan";
    return describe(event, audio, (words) => this.#screen.paint(colour, words));
  }

  #printLine(channel: number | undefined, time: string, text: string, colour?: Colour): Promise<void> | undefined {
    const shown = printable(text);
    const painted = colour === undefined ? shown : this.#screen.paint(colour, shown);
    return this.#screen.print(formatLine(channel, time, painted), TEXT_COLUMN);
  }
}

type OutputEvent = Extract<ServerEvent, { type: "segment" | "data" }>;

/** Name of a channel's live line, which is sorted by channel number. */
function interimName(channel: number): string {
  return `interim ${String(channel).padStart(3, "0")}`;
}

function formatLine(channel: number | undefined, time: string, text: string): string {
  const label = channel === undefined ? "" : `[${channel}]`;
  return `${label.padEnd(CHANNEL_WIDTH)}${time.padStart(TIME_WIDTH)}  ${text}`;
}

/** Formats after how long a refused request may be sent again; empty for an error about a span of audio. */
function retryHint({ channel, retry_after_ms }: ErrorEvent): string {
  return channel === undefined ? describeRetry(retry_after_ms) : "";
}

/** Formats the time for which a server that shuts down takes audio. */
function deadline({ deadline_ms: left }: Warning): string {
  return left === undefined ? "" : ` (${formatNumber(left / 1000)} s)`;
}

/** Escapes what a terminal would act on: texts come from the server and its model. */
function printable(text: string): string {
  return excerpt(text, Infinity);
}

function formatSeconds(time: number): string {
  return time.toFixed(2).padStart(7);
}

function formatSpan(start: number | undefined, end: number | undefined): string {
  return start === undefined || end === undefined ? "" : `${formatSeconds(start)} - ${formatSeconds(end)}`;
}

/** Describes the output of a model and the length of its audio. */
function describe(event: OutputEvent, audio: Float32Array | undefined, paint?: (words: string) => string): string {
  const output = formatOutput(event, paint);
  if (audio === undefined) return output;
  return `${output}${output === "" ? "" : " "}(${formatNumber(audio.length)} samples of audio)`;
}
