import type { Passage } from "./transcript.ts";

/** Returns the passages as SubRip (`.srt`). */
export function subRip(passages: readonly Passage[]): string {
  return passages
    .map(({ start, end, text }, i) => `${i + 1}\n${clock(start, ",")} --> ${clock(end, ",")}\n${oneLine(text)}\n`)
    .join("\n");
}

/** Returns the passages as WebVTT (`.vtt`). */
export function webVtt(passages: readonly Passage[]): string {
  const cues = passages.map(({ start, end, text }) => {
    // In a cue these would be marks.
    const escaped = oneLine(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    return `\n${clock(start, ".")} --> ${clock(end, ".")}\n${escaped}\n`;
  });
  return `WEBVTT\n${cues.join("")}`;
}

/** A line break would end the cue. */
function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}

/** Returns a time as `HH:MM:SS,mmm`. */
function clock(seconds: number, point: string): string {
  const total = Math.round(seconds * 1_000);
  const [ms, s, m, h] = [
    total % 1_000,
    Math.floor(total / 1_000) % 60,
    Math.floor(total / 60_000) % 60,
    Math.floor(total / 3_600_000),
  ];
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${two(h)}:${two(m)}:${two(s)}${point}${String(ms).padStart(3, "0")}`;
}
