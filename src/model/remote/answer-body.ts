import { excerpt } from "../../lib/excerpt.ts";
import { abortError } from "./reachability.ts";
import { EngineError } from "./transport.ts";

/**
 * Reads the body of an answer.
 * @param maxBytes of the body
 * @throws EngineError of fault `bad_answer`, or as `signal` says
 */
export async function readBody(response: Response, maxBytes: number, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const encoding = response.headers.get("content-encoding") ?? "identity";
    // A small answer could become a large one.
    if (encoding !== "identity") throw new EngineError("bad_answer", `the answer is encoded: ${excerpt(encoding)}`);
    const length = response.headers.get("content-length");
    if (length === null) return await readChunks(response, maxBytes);
    if (Number(length) > maxBytes) throw tooLarge(maxBytes);
    return await response.bytes();
  } catch (error) {
    // Frees the connection. It fails when the connection has ended.
    await response.body?.cancel().catch(() => undefined);
    if (error instanceof EngineError) throw error;
    throw signal.aborted ? abortError(signal) : new EngineError("bad_answer", "the answer is cut off");
  }
}

async function readChunks(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(maxBytes: number): EngineError {
  return new EngineError("bad_answer", `the answer has more than ${maxBytes} bytes (max_answer_bytes)`);
}
