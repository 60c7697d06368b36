import type { ReceivedEvent } from "../../client/event-reader.ts";
import { RESERVED_FIELDS, type ServerEvent } from "../../protocol/events.ts";
import type { Screen } from "../terminal/screen.ts";

const TIME_WIDTH = 18;

/** Shows the events of one stream as a person wants to read them: a line each, interims replaced in place where possible. */
export class TextView {
  readonly #screen: Screen;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** `latencyMs`, for a final: since its last spoken sample was sent. */
  show({ event, audio }: ReceivedEvent, latencyMs: number | undefined): Promise<void> | undefined {
    const screen = this.#screen;
    switch (event.type) {
      case "active":
        return this.#line(event.channel, seconds(event.time), screen.paint("green", "speech begins"));
      case "inactive":
        return this.#line(event.channel, seconds(event.time), "speech ends");
      case "segment": {
        const span = `${seconds(event.start_time)} - ${seconds(event.end_time)}`;
        const text = outputText(event, audio);
        if (event.is_final === false) return this.#interim(event.channel, span, text);
        screen.live(interimName(event.channel), undefined);
        const late =
          latencyMs === undefined ? "" : screen.paint("dim", `   ${Math.round(latencyMs)} ms after the last word`);
        return this.#line(event.channel, span, `${event.is_final === true ? "final  " : ""}${text}${late}`);
      }
      case "data":
        return this.#line(event.channel, "", outputText(event, audio));
      case "flushed":
        return this.#line(event.channel, seconds(event.time), "flushed");
      case "error": {
        const { start_time: start, end_time: end } = event;
        if (event.channel !== undefined) screen.live(interimName(event.channel), undefined);
        const span = start === undefined || end === undefined ? "" : `${seconds(start)} - ${seconds(end)}`;
        return this.#line(event.channel, span, screen.paint("red", `error ${event.code}: ${event.message}`));
      }
      case "warning":
        return this.#line(event.channel, "", screen.paint("yellow", `warning ${event.code}: ${event.message}`));
      case "started":
        return screen.print(
          `stream ${event.stream}: model ${event.model} at ${grouped(event.sample_rate)} Hz, trace ${event.trace_id.split("-")[1] ?? event.trace_id}`,
        );
      case "stopped":
        return undefined;
      default:
        // An event that a later version of the protocol has.
        return screen.print(JSON.stringify(event));
    }
  }

  #interim(channel: number, span: string, text: string): Promise<void> | undefined {
    const line = lineOf(channel, span, `interim ${text}`);
    if (!this.#screen.inPlace) return this.#screen.print(line);
    this.#screen.live(interimName(channel), line);
    return undefined;
  }

  #line(channel: number | undefined, time: string, text: string): Promise<void> | undefined {
    return this.#screen.print(lineOf(channel, time, text));
  }
}

function interimName(channel: number): string {
  return `interim ${String(channel).padStart(3, "0")}`;
}

function lineOf(channel: number | undefined, time: string, text: string): string {
  return `${channel === undefined ? "" : `[${channel}]`}`.padEnd(5) + time.padStart(TIME_WIDTH) + `  ${text}`;
}

function seconds(time: number): string {
  return `${time.toFixed(2)}`.padStart(7);
}

/** What the model said: its fields as `name=value`, plain text as it is, and how much sound came with them. */
function outputText(
  event: Extract<ServerEvent, { type: "segment" | "data" }>,
  audio: Float32Array | undefined,
): string {
  const fields = Object.entries(event).filter(([name]) => !RESERVED_FIELDS.includes(name));
  const words = fields.map(([name, value]) => {
    if (name === "text" && typeof value === "string") return `"${value}"`;
    return `${name}=${typeof value === "number" ? grouped(value) : JSON.stringify(value)}`;
  });
  if (audio !== undefined) words.push(`(${grouped(audio.length)} samples of audio)`);
  return words.join(" ");
}

export function grouped(value: number): string {
  return value.toLocaleString("en-US");
}
