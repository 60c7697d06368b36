import { readPaced } from "../../lib/paced-reading.ts";

/** Longest line; the rest follows as a line of its own. */
export const MAX_LINE_CHARACTERS = 64 * 1024;
/** How a record of the log begins. */
export const RECORD_START = '{"level":';
/** Bytes of one process in a second that are relayed as fast as they come; further ones wait in its pipe. */
const FULL_SPEED_BYTES = 1024 * 1024;

/**
 * Cuts a stream of bytes into lines, each with its line feed. Resolves at the end of the stream.
 * @param write receives a record of the log, or one or several other lines, which a model may print without pause
 */
export async function relayLines(stream: ReadableStream<Uint8Array>, write: (lines: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  const receive = (bytes: Uint8Array): void => {
    rest = writeLines(rest + decoder.decode(bytes, { stream: true }), write);
  };
  await readPaced(stream, receive, { bytes: FULL_SPEED_BYTES });
  if (rest !== "") write(`${rest}\n`);
}

/** Returns the line without an end. */
function writeLines(text: string, write: (lines: string) => void): string {
  let written = 0;
  let start = 0;
  const writeTo = (end: number): void => {
    if (end > written) write(text.slice(written, end));
    written = end;
  };
  for (let feed = text.indexOf("\n"); feed !== -1; feed = text.indexOf("\n", start)) {
    const isRecord = text.startsWith(RECORD_START, start);
    if (isRecord) writeTo(start);
    start = feed + 1;
    if (isRecord) writeTo(start);
  }
  writeTo(start);
  for (; text.length - start > MAX_LINE_CHARACTERS; start += MAX_LINE_CHARACTERS) {
    write(`${text.slice(start, start + MAX_LINE_CHARACTERS)}\n`);
  }
  return text.slice(start);
}
