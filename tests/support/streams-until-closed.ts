import { expect } from "bun:test";

import { encode, speech } from "./audio.ts";
import { ledgerProblems, streamsOf } from "./ledgers.ts";
import type { WebSocketClient } from "./websocket-client.ts";

const BYTES = encode("s16", speech([0.5, 0.6, 0.7, 0.4]));

interface Sending {
  readonly random: () => number;
  /** Longest pause after a message. */
  readonly pauseMs: number;
  /** Sends the next stream only when the last one is answered. */
  readonly waits?: boolean;
  readonly isOver?: () => boolean;
}

/**
 * Sends stream after stream, in messages of random sizes, until the server closes the connection or `isOver`. Returns
 * the bytes sent in each.
 */
export async function sendUntilClosed(client: WebSocketClient, sending: Sending): Promise<number[]> {
  const { random, pauseMs, waits = false, isOver = () => false } = sending;
  const sent: number[] = [];
  while (client.closed === undefined && !isOver()) {
    client.start();
    const stream = sent.push(0) - 1;
    for (let at = 0; at < BYTES.length && client.closed === undefined;) {
      const end = Math.min(BYTES.length, at + 1 + Math.floor(random() * 20_000));
      // A send fails when the server has closed the connection, which ends the loop.
      await client.sendAudio(BYTES.subarray(at, end)).catch(() => {});
      sent[stream] = at = end;
      await Bun.sleep(random() * pauseMs);
    }
    client.stop();
    if (waits) await client.nextEvent("stopped").catch(() => undefined);
  }
  return sent;
}

/**
 * Expects that every stream that was started has a result for each sample: of all that was sent when the client stopped
 * it, of all that was received when a drain did. Returns the number of streams and of their bytes.
 */
export function expectAllAnswered(
  client: WebSocketClient,
  sent: readonly number[],
): { streams: number; bytes: number } {
  const streams = streamsOf(client.events);
  let bytes = 0;
  for (const [index, stream] of streams.entries()) {
    const { reason, channels, trailing_bytes } = stream.stopped;
    // A message may end within a sample.
    const received = channels[0]!.received * 2 + trailing_bytes;
    expect(reason).toBeOneOf(["stop", "drain"]);
    if (reason === "stop") expect(received).toBe(sent[index]!);
    else expect(received).toBeLessThanOrEqual(sent[index]!);
    expect(ledgerProblems(stream, { bytes: received, frameBytes: 2 })).toEqual([]);
    expect(channels[0]?.failed).toBe(0);
    bytes += received;
  }
  return { streams: streams.length, bytes };
}
