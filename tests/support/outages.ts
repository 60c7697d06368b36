import { expect } from "bun:test";

import { encode, seeded, speech } from "./audio.ts";
import type { ServeProcess } from "./executable.ts";
import { ledgerProblems, streamsOf } from "./ledgers.ts";
import { ScrapedMetrics } from "./scraped-metrics.ts";

const ROUTES = ["simple", "segmented", "stateful"];
const WORDS = [0.2, 0.3, 0.2];

/** What streams beside an outage have come to: all of them unharmed. */
export interface Beside {
  readonly streams: number;
  readonly samples: number;
}

/**
 * Sends streams with audio on every route, many of them short ones without, so that much is logged and traced. Expects
 * every ledger to be exact, by the client's own count, and no error.
 * @param empty streams without audio beside each one with audio
 */
export async function streamBeside(
  server: ServeProcess,
  { clients = 6, rounds = 2, empty = 20, seed = 1 } = {},
): Promise<Beside> {
  let samples = 0;
  let streams = 0;
  const send = async (_: unknown, n: number): Promise<void> => {
    const random = seeded(seed + n);
    using client = await server.connect({ path: `/api/v1/${ROUTES[n % ROUTES.length]}` });
    const sent: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const bytes = encode("s16", speech(WORDS, { seed: seed + n + round }));
      client.start();
      await client.sendInChunks(bytes, () => 1 + Math.floor(random() * 10_000));
      sent.push(bytes.length);
      for (let i = 0; i < empty; i++) {
        client.start();
        sent.push(0);
      }
    }
    client.stop({ disconnect: true });
    expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
    const all = streamsOf(client.events);
    expect(all.length).toBe(sent.length);
    for (const [i, stream] of all.entries()) {
      expect(ledgerProblems(stream, { bytes: sent[i] ?? 0, frameBytes: 2 })).toEqual([]);
    }
    expect(client.eventsOf("error")).toEqual([]);
    streams += all.length;
    samples += sent.reduce((sum, bytes) => sum + bytes / 2, 0);
  };
  await Promise.all(Array.from({ length: clients }, send));
  return { streams, samples };
}

/** Reads one value of a server's metrics; 0: it has none. */
export async function metricOf(
  server: ServeProcess,
  name: string,
  labels: Record<string, string> = {},
): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  return new ScrapedMetrics(text).value(name, labels) ?? 0;
}
