import type { Result } from "./result.ts";

/** Returns what a person reads of a result: its text, or else its fields as `name value`. */
export function captionOf({ text, fields }: Result): string {
  if (text !== undefined) return text;
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

/** Seconds for which the last result of a model with state stays, which has no length. */
const MOMENT_SECONDS = 0.5;

/** Results that have something to say, by their begin. */
function captioned(results: readonly Result[]): Result[] {
  return results
    .filter((result) => result.isFinal && result.error === undefined && captionOf(result).trim() !== "")
    .sort((a, b) => a.start - b.start || a.channel - b.channel);
}

/** Returns the text alone, a line for each result; with several channels each with its channel. */
export function asText(results: readonly Result[], channels: number): string {
  return captioned(results)
    .map((result) => `${speaker(result, channels)}${captionOf(result)}\n`)
    .join("");
}

/**
 * Returns everything that was said as JSON: an array of results, times in seconds. The names are those of events, which
 * no field of a model can have.
 */
export function asJson(results: readonly Result[]): string {
  const plain = results
    .filter(({ isFinal }) => isFinal)
    .map(({ channel, start, end, text, fields, error, timing }) => {
      const said = error === undefined ? { ...(text !== undefined && { text }), ...fields } : { error };
      const { latencyMs: latency_ms, queueMs: queue_ms, computeMs: infer_ms } = timing;
      const measured = { timing: { latency_ms, queue_ms, infer_ms } };
      const hasTiming = Object.values(timing).some((each) => each !== undefined);
      const times = { start_time: rounded(start), end_time: rounded(end) };
      return { channel, ...times, ...said, ...(hasTiming && measured) };
    });
  return `${JSON.stringify(plain, null, 2)}\n`;
}

/** Returns subtitles as SubRip. */
export function asSrt(results: readonly Result[], channels: number): string {
  return captioned(results)
    .map((result, index) => {
      return `${index + 1}\n${times(result, ",")}\n${speaker(result, channels)}${oneBlock(captionOf(result))}\n`;
    })
    .join("\n");
}

/** Returns subtitles as WebVTT (https://www.w3.org/TR/webvtt1/), channels as voices. */
export function asVtt(results: readonly Result[], channels: number): string {
  const cues = captioned(results).map((result) => {
    const voice = channels > 1 ? `<v Channel ${result.channel}>` : "";
    const text = oneBlock(captionOf(result)).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    return `${times(result, ".")}\n${voice}${text}\n`;
  });
  return ["WEBVTT\n", ...cues].join("\n");
}

function times({ start, end }: Result, point: string): string {
  return `${clock(start, point)} --> ${clock(end > start ? end : start + MOMENT_SECONDS, point)}`;
}

/** An empty line would end the cue, and an arrow in WebVTT begin another. */
function oneBlock(text: string): string {
  return text
    .replace(/\s*[\r\n]\s*/g, "\n")
    .replaceAll("-->", "->")
    .trim();
}

function speaker({ channel }: Result, channels: number): string {
  return channels > 1 ? `[${channel}] ` : "";
}

function clock(seconds: number, point: string): string {
  const milliseconds = Math.round(seconds * 1000);
  const digits = (value: number, count = 2): string => String(Math.floor(value)).padStart(count, "0");
  const [hours, minutes] = [milliseconds / 3_600_000, (milliseconds / 60_000) % 60];
  return `${digits(hours)}:${digits(minutes)}:${digits((milliseconds / 1000) % 60)}${point}${digits(milliseconds % 1000, 3)}`;
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}
