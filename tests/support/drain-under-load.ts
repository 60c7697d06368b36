import { expect } from "bun:test";

import type { Executable } from "./executable.ts";
import { expectAllAnswered, sendUntilClosed } from "./streams-until-closed.ts";
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
  const sending = clients.map((client) => sendUntilClosed(client, { random, pauseMs: 20 }));
  await Promise.all(clients.map((client) => client.nextEvent("started")));
  await Bun.sleep(random() * 600);
  server.signal("SIGTERM");
  expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  for (const [n, client] of clients.entries()) expectNothingLost(client, await sending[n]!);
}

function expectNothingLost(client: WebSocketClient, sent: readonly number[]): void {
  expect(client.closed).toEqual({ code: 1001, reason: "draining" });
  expect(client.eventsOf("warning")).toMatchObject([{ code: "draining", deadline_ms: expect.any(Number) }]);
  expectAllAnswered(client, sent);
  // The only error is that of a start which came during the drain.
  expect(client.eventsOf("error").map(({ code, start_time }) => [code, start_time])).toEqual(
    client.eventsOf("error").length === 0 ? [] : [["draining", undefined]],
  );
}
