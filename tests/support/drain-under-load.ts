import { expect } from "bun:test";

import { encode, speech } from "./audio.ts";
import type { Executable } from "./executable.ts";
import { ledgerProblems, streamsOf } from "./ledgers.ts";
import type { WebSocketClient } from "./websocket-client.ts";

const CLIENTS = 12;
const MODEL = { "model.workers": 2, "model.delay": 0.01, "model.jitter": 0.01, "model.warmup_penalty": 1 };
/** Ways to drain: in all of them there is time enough for the results. */
const DRAINS = [
  { "limits.drain": "now" },
  { "limits.drain_timeout_ms": 0 },
  { "limits.drain_timeout_ms": 150 },
  { "limits.drain_timeout_ms": 60_000 },
];
const BYTES = encode("s16", speech([0.5, 0.6, 0.7, 0.4]));

/** Sends stream after stream until the server closes the connection. Returns the bytes sent in each. */
async function sendStreams(client: WebSocketClient, random: () => number): Promise<number[]> {
  const sent: number[] = [];
  while (client.closed === undefined) {
    client.start();
    const stream = sent.push(0) - 1;
    for (let at = 0; at < BYTES.length && client.closed === undefined;) {
      const end = Math.min(BYTES.length, at + 1 + Math.floor(random() * 20_000));
      // A send fails when the server has closed the connection, which ends the loop.
      await client.sendAudio(BYTES.subarray(at, end)).catch(() => {});
      sent[stream] = at = end;
      await Bun.sleep(random() * 20);
    }
    client.stop();
  }
  return sent;
}

/**
 * Sends SIGTERM to a server at a random moment while clients stream, and expects a drain without losses: every stream is
 * answered to its end, no client is surprised, and the server exits with 0.
 * @param processes processes of the server
 */
export async function drainUnderLoad(executable: Executable, random: () => number, processes = 1): Promise<void> {
  const drain = DRAINS[Math.floor(random() * DRAINS.length)]!;
  await using server = await executable.serve({
    ...MODEL,
    ...drain,
    "limits.finish_ms": 60_000,
    "server.processes": processes,
  });
  const clients = await Promise.all(
    Array.from({ length: CLIENTS }, (_, n) =>
      server.connect({ path: `/api/v1/${["simple", "segmented", "stateful"][n % 3]}` }),
    ),
  );
  const sending = clients.map((client) => sendStreams(client, random));
  await Promise.all(clients.map((client) => client.nextEvent("started")));
  await Bun.sleep(random() * 600);
  server.signal("SIGTERM");
  expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  for (const [n, client] of clients.entries()) expectNothingLost(client, await sending[n]!);
}

function expectNothingLost(client: WebSocketClient, sent: readonly number[]): void {
  expect(client.closed).toEqual({ code: 1001, reason: "draining" });
  expect(client.eventsOf("warning")).toMatchObject([{ code: "draining", deadline_ms: expect.any(Number) }]);
  const streams = streamsOf(client.events);
  for (const [index, stream] of streams.entries()) {
    const { reason, channels } = stream.stopped;
    // A chunk may end within a sample.
    const bytes = reason === "stop" ? sent[index]! : channels[0]!.received * 2 + stream.stopped.trailing_bytes;
    expect(reason).toBeOneOf(["stop", "drain"]);
    expect(bytes).toBeLessThanOrEqual(sent[index]!);
    expect(ledgerProblems(stream, { bytes, frameBytes: 2 })).toEqual([]);
    expect(channels[0]?.failed).toBe(0);
  }
  // The only error is that of a start which came during the drain.
  expect(client.eventsOf("error").map(({ code, start_time }) => [code, start_time])).toEqual(
    client.eventsOf("error").length === 0 ? [] : [["draining", undefined]],
  );
}
