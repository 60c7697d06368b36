import type { Result } from "./record.ts";

/** Returns what a person reads of a result: its text, or else its fields as `name value`. */
export function captionOf({ text, fields }: Result): string {
  if (text !== undefined) return text;
  return Object.entries(fields)
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

/** Results that have something to say, by their begin. */
function captioned(results: readonly Result[]): Result[] {
  return results
    .filter((result) => result.isFinal && result.error === undefined && captionOf(result) !== "")
    .sort((a, b) => a.start - b.start || a.channel - b.channel);
}

/** Returns the text alone, a line for each result; with several channels each with its channel. */
export function asText(results: readonly Result[], channels: number): string {
  return captioned(results)
    .map((result) => `${speaker(result, channels)}${captionOf(result)}\n`)
    .join("");
}

/** Returns everything that was said as JSON: an array of results, times in seconds. */
export function asJson(results: readonly Result[]): string {
  const plain = results
    .filter(({ isFinal }) => isFinal)
    .map(({ channel, start, end, text, fields, error, timing }) => {
      const said = { ...(text !== undefined && { text }), ...fields };
      const { latencyMs: latency_ms, queueMs: queue_ms, computeMs: compute_ms } = timing;
      return { channel, start: rounded(start), end: rounded(end), ...said, error, latency_ms, queue_ms, compute_ms };
    });
  return `${JSON.stringify(plain, null, 2)}\n`;
}

/** Returns subtitles as SubRip. */
export function asSrt(results: readonly Result[], channels: number): string {
  return captioned(results)
    .map((result, index) => {
      const times = `${clock(result.start, ",")} --> ${clock(result.end, ",")}`;
      return `${index + 1}\n${times}\n${speaker(result, channels)}${oneBlock(captionOf(result))}\n`;
    })
    .join("\n");
}

/** Returns subtitles as WebVTT (https://www.w3.org/TR/webvtt1/), channels as voices. */
export function asVtt(results: readonly Result[], channels: number): string {
  const cues = captioned(results).map((result) => {
    const voice = channels > 1 ? `<v Channel ${result.channel}>` : "";
    const text = oneBlock(captionOf(result)).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    return `${clock(result.start, ".")} --> ${clock(result.end, ".")}\n${voice}${text}\n`;
  });
  return ["WEBVTT\n", ...cues].join("\n");
}

/** An empty line would end the cue, and an arrow in WebVTT begin another. */
function oneBlock(text: string): string {
  return text
    .replace(/\s*\n\s*/g, "\n")
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
