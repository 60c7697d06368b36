/** Longest line; the rest follows as a line of its own. */
export const MAX_LINE_CHARACTERS = 64 * 1024;

/** Cuts a stream of bytes into lines, each with its line feed. @param write receives one or several whole lines */
export async function relayLines(stream: ReadableStream<Uint8Array>, write: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) write(`${line}\n`);
    for (; rest.length > MAX_LINE_CHARACTERS; rest = rest.slice(MAX_LINE_CHARACTERS)) {
      write(`${rest.slice(0, MAX_LINE_CHARACTERS)}\n`);
    }
  }
  if (rest !== "") write(`${rest}\n`);
}
