import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { ADDON_IMPORTS, addonModel, BLOCK, BLOCK_MS, buildAddon } from "../support/blocking-addon.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Models that block where they cannot be interrupted, with the executable. */

const executable = await sharedExecutable();

const BLOCK_SAMPLES = 320;
const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
const SETTINGS = { "simple.block_ms": 20, "log.format": "json" };

/** Samples of blocks that each start with `order`. */
function blocks(count: number, order: number): Uint8Array {
  const samples = new Float32Array(count * BLOCK_SAMPLES);
  for (let i = 0; i < count; i++) samples[i * BLOCK_SAMPLES] = order;
  return new Uint8Array(samples.buffer);
}

/** Writes a model file whose first statements define `block()`. */
async function writeModel(name: string, head: string): Promise<void> {
  const text = `${head}
    export default { name: "${name}", load: () => ({
      warmUp() {},
      infer: (audio) => (audio[0] === ${BLOCK} ? block() : 0, { count: audio.length }),
    }) };`;
  await writeFile(join(executable.folder, `${name}.ts`), text);
}

async function ready(server: ServeProcess): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${server.url}/api/v1/ready`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function metric(server: ServeProcess, series: string): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

beforeAll(async () => {
  await writeModel("sleeper", "const block = () => Bun.sleepSync(600_000);");
});

describe("when all threads of a model block in native code", () => {
  /** A server of two workers, and a client with eight blocks that never return: each worker is replaced once. */
  async function stuckServer(settings: Record<string, number>) {
    const limits = { "model.workers": 2, "model.inference_timeout_ms": 300, ...settings };
    const server = await executable.serve({ ...SETTINGS, ...limits }, ["--model", "./sleeper.ts"]);
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start({ format: FORMAT });
    await client.sendAudio(blocks(8, BLOCK));
    await waitUntil("the server is not ready", async () => (await ready(server)).status === 503);
    return { server, client };
  }

  test("what waits fails, ready is 503 with the reason, starts are refused, and TERM need not wait for them", async () => {
    const { server, client } = await stuckServer({});
    await waitUntil("all blocks are answered", () => client.eventsOf("error").length === 8);
    const codes = client.eventsOf("error").map(({ code, retryable, fatal }) => ({ code, retryable, fatal }));
    const retryable = { retryable: true, fatal: false };
    expect(codes).toEqual([
      ...Array(4).fill({ code: "inference_timeout", ...retryable }),
      ...Array(4).fill({ code: "model_unavailable", ...retryable }),
    ]);

    const reason = "4 threads do not return from the model, so no more workers are started";
    expect((await ready(server)).body).toMatchObject({
      code: "model_unavailable",
      message: `model "sleeper": ${reason}`,
    });
    expect((await fetch(`${server.url}/api/v1/ready`)).headers.get("retry-after")).toBe("5");
    const health = await executable.run(["health", "--ready", "--addr", server.url]);
    expect(health).toMatchObject({ code: 1, err: expect.stringContaining(reason) });
    const other = await server.connect({ path: "/api/v1/simple" });
    other.start({ format: FORMAT });
    expect(await other.nextEvent("error")).toMatchObject({ code: "model_unavailable", param: "model", fatal: false });
    // What the open stream sends now fails at once.
    await client.sendAudio(blocks(1, 0));
    await waitUntil("the block is answered", () => client.eventsOf("error").length === 9);
    const alive = await fetch(`${server.url}/api/v1/health`);
    expect(alive.status).toBe(200);
    expect(await metric(server, "streamer_ready")).toBe(0);
    expect(await metric(server, 'streamer_workers_abandoned{model="sleeper"}')).toBe(4);

    await waitUntil("the log has it", () => server.err.includes('"event":"model_unavailable"'));
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    // Streams without a model are not left the time for their clients to go on.
    expect(client.eventsOf("warning")).toMatchObject([{ code: "draining", deadline_ms: 0 }]);
    const { stopped } = expectExactLedger(client.events, { bytes: 9 * BLOCK_SAMPLES * 4, frameBytes: 4 });
    expect([stopped.reason, client.eventsOf("error").length]).toEqual(["drain", 9]);
    const loud = server.log.filter(({ level }) => level === "error");
    expect(loud).toMatchObject([{ event: "model_unavailable", model: "sleeper", reason, exit_in_ms: 30_000 }]);
  });

  test("the server drains and exits with 1 after limits.stuck_exit_ms, for its supervisor", async () => {
    const { server, client } = await stuckServer({ "limits.stuck_exit_ms": 500 });
    expect(await server.waitForExit()).toEqual({ code: 1, signal: null });
    expect(await client.waitForClose()).toMatchObject({ code: 1001 });
    const { stopped } = expectExactLedger(client.events, { bytes: 8 * BLOCK_SAMPLES * 4, frameBytes: 4 });
    expect(stopped.reason).toBe("drain");
    const lines = server.err.trim().split("\n");
    expect(lines.at(-1)).toBe(
      'streamer: model "sleeper": 4 threads do not return from the model, so no more workers are started; ' +
        "the server exits",
    );
    const events = lines.slice(0, -1).map((line) => (JSON.parse(line) as Record<string, unknown>)["event"]);
    expect(events).toContain("exiting");
  });
});

test("a server whose threads return is ready again, and does not exit", async () => {
  await writeModel("late", "const block = () => Bun.sleepSync(8000);");
  const limits = { "model.workers": 1, "model.inference_timeout_ms": 200, "limits.stuck_exit_ms": 60_000 };
  const server = await executable.serve({ ...SETTINGS, ...limits }, ["--model", "./late.ts"]);
  const client = await server.connect({ path: "/api/v1/simple" });
  client.start({ format: FORMAT });
  await client.sendAudio(blocks(3, BLOCK));
  await waitUntil("the server is not ready", async () => (await ready(server)).status === 503);
  await waitUntil("the server is ready again", async () => (await ready(server)).status === 200);
  // On a busy machine, a call that does not block may take longer than the timeout, too.
  let sent = 3;
  await waitUntil("a call succeeds", async () => {
    await client.sendAudio(blocks(1, 0));
    sent += 1;
    await waitUntil("an answer", () => client.eventsOf("segment").length + client.eventsOf("error").length === sent);
    return client.eventsOf("segment").length > 0;
  });
  expect(client.eventsOf("segment")[0]).toMatchObject({ count: BLOCK_SAMPLES });
  client.stop();
  await client.nextEvent("stopped");
  expectExactLedger(client.events, { bytes: sent * BLOCK_SAMPLES * 4, frameBytes: 4 });
  await waitUntil("the log has it", () => server.err.includes('"event":"model_available"'));
  server.signal("SIGTERM");
  expect((await server.waitForExit()).code).toBe(0);
});

test("while no worker can be loaded any more, ready is 503 and starts are refused; attempts continue", async () => {
  const file = join(executable.folder, "fragile.ts");
  await writeModel("fragile", "const block = () => process.exit(1);");
  const server = await executable.serve({ ...SETTINGS, "model.workers": 1 }, ["--model", "./fragile.ts"]);
  await rename(file, `${file}.away`);
  const client = await server.connect({ path: "/api/v1/simple" });
  client.start({ format: FORMAT });
  await client.sendAudio(blocks(2, BLOCK));
  await waitUntil("the server is not ready", async () => (await ready(server)).status === 503);
  expect((await ready(server)).body).toMatchObject({
    code: "model_unavailable",
    message: 'model "fragile": no worker can be started; the log has the cause',
  });
  const other = await server.connect({ path: "/api/v1/simple" });
  other.start({ format: FORMAT });
  expect((await other.nextEvent("error")).code).toBe("model_unavailable");
  await waitUntil("all blocks are answered", () => client.eventsOf("error").length === 2);
  expect(client.eventsOf("error").map(({ code }) => code)).toEqual(["worker_crashed", "model_unavailable"]);
  const failed = server.log.find(({ event }) => event === "load_failed");
  expect(failed).toMatchObject({ model: "fragile", cause: expect.stringContaining("fragile.ts") });
  await rename(`${file}.away`, file);
  await waitUntil("the server is ready again", async () => (await ready(server)).status === 200);
  other.start({ format: FORMAT });
  await other.nextEvent("started");
});

describe("a call that takes too long does not end the server, however often", () => {
  /** Calls until so many have timed out; then one that does not. */
  async function expectSurvival(model: string, timeouts: number): Promise<void> {
    const limits = { "model.workers": 2, "model.inference_timeout_ms": BLOCK_MS / 4 };
    const server = await executable.serve({ ...SETTINGS, ...limits }, ["--model", `./${model}.ts`]);
    let seen = 0;
    while (seen < timeouts) {
      await waitUntil("the server is ready", async () => (await ready(server)).status === 200);
      const client = await server.connect({ path: "/api/v1/simple" });
      client.start({ format: FORMAT });
      await client.sendAudio(blocks(20, BLOCK));
      client.stop({ disconnect: true });
      await client.waitForClose();
      expectExactLedger(client.events, { bytes: 20 * BLOCK_SAMPLES * 4, frameBytes: 4 });
      seen += client.eventsOf("error").filter(({ code }) => code === "inference_timeout").length;
    }
    const abandoned = `streamer_workers_abandoned{model="${model}"}`;
    await waitUntil("all threads have ended", async () => (await metric(server, abandoned)) === 0);
    await waitUntil("a call succeeds", async () => {
      const client = await server.connect({ path: "/api/v1/simple" });
      client.start({ format: FORMAT });
      await client.sendAudio(blocks(1, 0));
      client.stop({ disconnect: true });
      await client.waitForClose();
      return client.eventsOf("segment").length === 1;
    });
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  }

  test("within a native add-on, whose calls fail when its thread is terminated: 100 times", async () => {
    await buildAddon(join(executable.folder, "blocking.node"));
    await writeFile(join(executable.folder, "addon.ts"), addonModel(ADDON_IMPORTS.require));
    await expectSurvival("addon", 100);
  });

  test("within a library that is called by bun:ffi", async () => {
    const source = `#include <time.h>
      int block(void) {
        struct timespec begin, now;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        do clock_gettime(CLOCK_MONOTONIC, &now);
        while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ${BLOCK_MS});
        return 42;
      }`;
    const library = join(executable.folder, "libblock.so");
    const compiler = Bun.spawn(["cc", "-shared", "-fPIC", "-o", library, "-x", "c", "-"], {
      stdin: Buffer.from(source),
    });
    expect(await compiler.exited).toBe(0);
    await writeModel(
      "ffi",
      `import { dlopen } from "bun:ffi";
      const { symbols: { block } } = dlopen("${library}", { block: { args: [], returns: "i32" } });`,
    );
    await expectSurvival("ffi", 40);
  });

  test("within WebAssembly", async () => {
    // (func (export "spin") (param i32) (loop local.get 0 i32.const 1 i32.sub local.tee 0 br_if 0))
    const bytes = [
      ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 1, 127, 0, 3, 2, 1, 0, 7, 8, 1, 4, 115, 112, 105, 110, 0, 0],
      ...[10, 16, 1, 14, 0, 3, 64, 32, 0, 65, 1, 107, 34, 0, 13, 0, 11, 11],
    ];
    await writeModel(
      "wasm",
      `const { spin } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([${bytes.join(", ")}]))).exports;
      const block = () => { for (const begin = performance.now(); performance.now() - begin < ${BLOCK_MS}; ) spin(1e6); };`,
    );
    await expectSurvival("wasm", 40);
  });
});
