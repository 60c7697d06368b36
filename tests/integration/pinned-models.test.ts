import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { encode, speech } from "../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { modelPath } from "../support/pool-harness.ts";
import { childrenOf, isAlive } from "../support/process-tree.ts";
import { python, pythonModel } from "../support/python.ts";
import { waitUntil } from "../support/wait.ts";
import type { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Models whose streams stay in their processes, with the executable. */

const executable = await sharedExecutable();

const RATE = 16_000;
const CLIENTS = 6;
const KILLS = 3;
/** Messages between two kills. */
const MESSAGES = 18;
const MESSAGE_BYTES = RATE / 5;
/** Utterances that are spoken, s, each followed by a pause. */
const SPOKEN = [1.2, 0.8, 1.6, 1];

const MODELS: readonly (readonly [name: string, settings: Settings])[] = [
  ["TypeScript", { "model.name": modelPath("pinned"), "model.isolation": "process" }],
  ...(python === undefined
    ? []
    : [["Python", { "model.name": pythonModel("pinned"), "model.python": python }] as const]),
];

/** Kills a process of the model, and waits until it is gone. */
async function killWorker(server: ServeProcess): Promise<void> {
  await waitUntil("a process of the model", () => childrenOf(server.pid).length > 0);
  const [pid = 0] = childrenOf(server.pid);
  process.kill(pid, "SIGKILL");
  await waitUntil("the process is gone", () => !isAlive(pid));
}

/** Streams speech from several clients at once, while processes of the model are killed. Returns the clients. */
async function streamUnderKills(server: ServeProcess, path: string): Promise<WebSocketClient[]> {
  const audio = encode("s16", speech(SPOKEN));
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => server.connect({ path })));
  for (const client of clients) client.start({ interim_results: path.endsWith("segmented") });
  let at = 0;
  const send = async (bytes: number): Promise<void> => {
    const part = audio.subarray(at, (at += bytes));
    await Promise.all(clients.map((client) => client.sendAudio(part)));
    await Bun.sleep(10);
  };
  for (let kill = 0; kill < KILLS; kill++) {
    for (let i = 0; i < MESSAGES; i++) await send(MESSAGE_BYTES);
    // Results are there, so that the streams are in the workers.
    const results = (client: WebSocketClient): number => client.eventsOf("segment").length;
    await waitUntil("results", () => clients.every((client) => results(client) > kill));
    await killWorker(server);
  }
  while (at < audio.length) await send(MESSAGE_BYTES);
  for (const client of clients) client.stop({ disconnect: true });
  await Promise.all(clients.map((client) => client.waitForClose()));
  for (const { events } of clients)
    expectExactLedger(events, { bytes: audio.length, frameBytes: 2, someUnanswered: true });
  return clients;
}

/** Expects lost streams, and no errors but those of their workers. */
function expectLosses(clients: readonly WebSocketClient[]): void {
  const errors = clients.flatMap((client) => client.eventsOf("error"));
  expect(errors.filter(({ code }) => code !== "worker_crashed")).toEqual([]);
  const warnings = clients.flatMap((client) => client.eventsOf("warning")).map(({ code }) => code);
  expect(new Set(warnings)).toEqual(new Set(["state_lost"]));
}

describe.each(MODELS)("the processes of a pinned model in %s", (_name, model) => {
  const settings: Settings = { ...model, "model.workers": 2, "log.format": "json" };

  test("that are killed cost blocks on /stateful that are named, and no sample is given to two streams, or to none", async () => {
    await using server = await executable.serve(settings);
    const clients = await streamUnderKills(server, "/api/v1/stateful");
    expectLosses(clients);
    for (const client of clients) {
      let counted = 0;
      let isLost = true;
      for (const event of client.events) {
        if (event.type === "warning") isLost = true;
        if (event.type !== "segment") continue;
        const { start_time, end_time, samples } = event as typeof event & { samples: number };
        const length = Math.round((end_time - start_time) * RATE);
        expect(samples).toBe(isLost ? length : counted + length);
        counted = samples;
        isLost = false;
      }
    }
  });

  test("that are killed cost parts of utterances on /segmented that are named, and each final has all samples of its segment, once", async () => {
    await using server = await executable.serve(settings);
    const clients = await streamUnderKills(server, "/api/v1/segmented");
    expectLosses(clients);
    for (const client of clients) {
      const segments = client.eventsOf("segment") as unknown as Record<string, number | boolean>[];
      const finals = segments.filter(({ is_final }) => is_final === true);
      // On a busy machine an utterance may be over before another worker is there: an error names it.
      const named = finals.length + client.eventsOf("error").length;
      expect(named).toBeGreaterThanOrEqual(SPOKEN.length);
      for (const { start_time, end_time, total } of finals) {
        expect(total).toBe(Math.round((Number(end_time) - Number(start_time)) * RATE));
      }
      expect(segments.length).toBeGreaterThan(finals.length);
      for (const { is_final, start_time, end_time, samples } of segments) {
        if (is_final === false) expect(samples).toBe(Math.round((Number(end_time) - Number(start_time)) * RATE));
      }
    }
  });

  test("go on at shutdown until their streams have ended, each with its last result", async () => {
    await using server = await executable.serve(settings);
    const clients = await Promise.all([1, 2, 3].map(() => server.connect({ path: "/api/v1/stateful" })));
    const half = encode("s16", new Float32Array(RATE / 2).fill(0.25));
    for (const client of clients) {
      client.start();
      await client.sendAudio(half);
      await client.nextEvent("segment");
    }
    server.signal("SIGTERM");
    await Promise.all(clients.map((client) => client.nextEvent("warning", ({ code }) => code === "draining")));
    for (const client of clients) {
      await client.sendAudio(half);
      client.stop({ disconnect: true });
      await client.waitForClose();
      expectExactLedger(client.events, { bytes: 2 * half.length, frameBytes: 2 });
      expect(client.eventsOf("error")).toEqual([]);
      expect(client.eventsOf("data")).toMatchObject([{ total: RATE }]);
    }
    expect((await server.waitForExit()).code).toBe(0);
  });
});
