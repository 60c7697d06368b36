import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { childrenOf } from "../support/process-tree.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { SlowEngine } from "../support/slow-engine.ts";
import { waitUntil } from "../support/wait.ts";
import type { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** A model that waits for a slow server, with the executable. */

const executable = await sharedExecutable();

const CONCURRENCY = 16;
const BLOCK_SAMPLES = 320;
const BLOCK_BYTES = BLOCK_SAMPLES * 4;
const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };

await writeFile(
  join(executable.folder, "engine.ts"),
  `import type { ModelModule } from "streamer/model";
  export default {
    name: "engine",
    concurrency: ${CONCURRENCY},
    settings: { url: { default: "" } },
    metrics: { requests: { type: "counter", help: "Requests.", labels: ["status"] } },
    load: ({ url }, { metrics }) => ({
      warmUp() {},
      async infer(audio, { signal }) {
        const response = await fetch(String(url), { method: "POST", body: audio, signal });
        metrics.add("requests", { status: String(response.status) });
        if (response.status === 503) throw Object.assign(new Error("the engine is away"), { code: "model_unavailable" });
        return { count: audio.length, text: await response.text() };
      },
    }),
  } satisfies ModelModule;`,
);

async function serve(engine: SlowEngine, settings: Record<string, string | number> = {}): Promise<ServeProcess> {
  const all = { "simple.block_ms": 20, "log.format": "json", "model.workers": 1, "model.url": engine.url, ...settings };
  return await executable.serve(all, ["--model", "./engine.ts"]);
}

/** Streams that have sent one block each. */
async function streams(server: ServeProcess, count: number): Promise<WebSocketClient[]> {
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const client = await server.connect({ path: "/api/v1/simple" });
      client.start({ format: FORMAT });
      await client.sendAudio(new Uint8Array(BLOCK_BYTES));
      return client;
    }),
  );
}

/** Stops the streams, and expects their ledgers to be exact. */
async function stop(clients: readonly WebSocketClient[], blocks: number): Promise<void> {
  for (const client of clients) client.stop();
  for (const client of clients) {
    await client.nextEvent("stopped");
    expectExactLedger(client.events, { bytes: blocks * BLOCK_BYTES, frameBytes: 4 });
  }
}

async function restarts(server: ServeProcess): Promise<number> {
  return (await ScrapedMetrics.from(server.url)).value("streamer_worker_restarts_total", { model: "engine" });
}

describe.each(["thread", "process"])(
  "a model that fetches a slow server, with concurrency 16, in a %s",
  (isolation) => {
    const settings = { "model.isolation": isolation };

    test("has 16 calls under way in one worker, and more wait", async () => {
      await using engine = await SlowEngine.start();
      await using server = await serve(engine, settings);
      const clients = await streams(server, 20);
      await waitUntil("16 requests", () => engine.held.size === CONCURRENCY);
      engine.answer();
      await waitUntil("the others", () => engine.held.size === 4);
      engine.answer();
      for (const client of clients) {
        expect(await client.nextEvent("segment")).toMatchObject({ count: BLOCK_SAMPLES, text: "late" });
      }
      expect(engine.most).toBe(CONCURRENCY);
      await stop(clients, 1);
      await waitUntil("the metrics of the model", async () => {
        const { samples } = await ScrapedMetrics.from(server.url);
        return samples.some(({ name, value }) => name === "streamer_model_requests_total" && value === 20);
      });
    });

    test("aborts the requests of calls that take too long; the worker is not replaced, and streams go on", async () => {
      await using engine = await SlowEngine.start();
      await using server = await serve(engine, { ...settings, "model.inference_timeout_ms": 1000 });
      const clients = await streams(server, CONCURRENCY);
      for (const client of clients) {
        expect(await client.nextEvent("error")).toMatchObject({ code: "inference_timeout", start_time: 0 });
      }
      await waitUntil("the engine sees it", () => engine.disconnected === CONCURRENCY);
      engine.answersWith = 200;
      for (const client of clients) await client.sendAudio(new Uint8Array(BLOCK_BYTES));
      for (const client of clients) expect(await client.nextEvent("segment")).toMatchObject({ text: "at once" });
      await stop(clients, 2);
      expect(await restarts(server)).toBe(0);
      expect(server.log.filter(({ event }) => event === "abort_ignored")).toEqual([]);
    });

    test("aborts the request of a client that disconnects, and no other", async () => {
      await using engine = await SlowEngine.start();
      await using server = await serve(engine, settings);
      const clients = await streams(server, 3);
      await waitUntil("3 requests", () => engine.held.size === 3);
      clients.pop()!.reset();
      await waitUntil("the engine sees it", () => engine.disconnected === 1);
      engine.answer();
      for (const client of clients) await client.nextEvent("segment");
      await stop(clients, 1);
      expect(await restarts(server)).toBe(0);
    });

    test("answers with the code that the model has chosen", async () => {
      await using engine = await SlowEngine.start();
      engine.answersWith = 503;
      await using server = await serve(engine, settings);
      const clients = await streams(server, 1);
      expect(await clients[0]!.nextEvent("error")).toMatchObject({
        code: "model_unavailable",
        retryable: true,
        message: expect.stringContaining("the engine is away"),
      });
      await stop(clients, 1);
    });
  },
);

test("a process that is killed under 16 calls costs these, each with its span, and no other", async () => {
  await using engine = await SlowEngine.start();
  await using server = await serve(engine, { "model.isolation": "process" });
  const clients = await streams(server, CONCURRENCY + 2);
  await waitUntil("16 requests", () => engine.held.size === CONCURRENCY);
  const [child] = childrenOf(server.pid);
  engine.answersWith = 200;
  process.kill(child!, "SIGKILL");
  const answers = await Promise.all(
    clients.map(async (client) => {
      await waitUntil("an answer", () => client.eventsOf("error").length + client.eventsOf("segment").length === 1);
      return client.eventsOf("error")[0]?.code ?? "ok";
    }),
  );
  expect(answers.filter((answer) => answer === "worker_crashed")).toHaveLength(CONCURRENCY);
  expect(answers.filter((answer) => answer === "ok")).toHaveLength(2);
  for (const client of clients) await client.sendAudio(new Uint8Array(BLOCK_BYTES));
  for (const client of clients) await waitUntil("a result", () => client.eventsOf("segment").length > 0);
  await stop(clients, 2);
  expect(await restarts(server)).toBe(1);
});
