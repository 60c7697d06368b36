import { connect } from "../../../src/client/client.ts";
import type { StartFields } from "../../../src/client/types/start.ts";

/** Audio in one message, seconds. */
const MESSAGE_S = 1;

/**
 * Returns the pattern on which the default model of a server hears a whole recording as one piece: a model whose streams
 * have state is fed by blocks, and says at the end what it has heard.
 */
export async function wholePattern(host: string): Promise<"simple" | "stateful"> {
  const response = await fetch(`http://${host}/api/v1/info`);
  const { models } = (await response.json()) as { models: { patterns: string[] }[] };
  return models[0]?.patterns.includes("simple") === false ? "stateful" : "simple";
}

/** Streams audio at full speed. Returns what was heard in each channel: the texts of its final results. Throws. */
export async function recognise(
  host: string,
  pattern: "simple" | "stateful" | "segmented",
  format: StartFields["format"],
  bytes: Uint8Array<ArrayBuffer>,
): Promise<string[]> {
  using client = await connect(`ws://${host}/api/v1/${pattern}`, { format });
  const length = (MESSAGE_S * format.sample_rate * format.channels * format.bit_depth) / 8;
  for (let at = 0; at < bytes.length; at += length) await client.send(bytes.slice(at, at + length));
  client.stop();
  const texts = Array.from({ length: format.channels }, () => [] as string[]);
  // The results of blocks are what was heard so far.
  const final = pattern === "stateful" ? "data" : "segment";
  for await (const { event } of client.events) {
    if (event.type === "error") throw new Error(JSON.stringify(event));
    if (event.type === final) texts[event.channel]?.push(String(event["text"]));
    if (event.type === "stopped") break;
  }
  return texts.map((parts) => parts.join(" "));
}
