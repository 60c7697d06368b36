import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, noise } from "../support/audio.ts";
import { InProcessServer, type Settings } from "../support/in-process-server.ts";
import { onlyStream } from "../support/ledgers.ts";
import { waitUntil } from "../support/wait.ts";
import type { WebSocketClient } from "../support/websocket-client.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const folder = await mkdtemp(join(tmpdir(), "streamer-reload-"));
afterAll(() => rm(folder, { recursive: true }));

const BLOCK = encode("s16", noise(0.6));

interface Version {
  readonly name?: string;
  readonly fields?: string;
  readonly infer?: string;
}

/** A model file whose versions a test writes. */
class ModelFile {
  readonly path = join(folder, `model-${crypto.randomUUID()}.ts`);

  /** Each version answers with its number. */
  async write(version: number, { name = "tried", fields = "", infer = "" }: Version = {}): Promise<void> {
    const body = `${infer}\n      return { version: ${version} };`;
    await Bun.write(
      this.path,
      `export default { name: "${name}", ${fields} load: () => ({ infer(audio) {\n      ${body} } }) };`,
    );
  }

  async serve(settings: Settings = {}): Promise<InProcessServer> {
    await this.write(1);
    return await InProcessServer.start({ "model.name": this.path, ...settings });
  }
}

async function open(server: InProcessServer, fields: object = {}, path = "/api/v1/simple"): Promise<WebSocketClient> {
  const client = await server.connect({ path });
  client.start(fields);
  await client.nextEvent("started");
  return client;
}

/** Streams more than one block. Returns the version that answers. */
async function versionOf(client: WebSocketClient): Promise<unknown> {
  await client.sendAudio(BLOCK);
  return ((await client.nextEvent("segment")) as unknown as { version: unknown }).version;
}

async function stop(client: WebSocketClient): Promise<void> {
  client.stop({ disconnect: true });
  await client.waitForClose();
  expect(onlyStream(client.events).stopped.channels).toMatchObject([{ failed: 0, errors: 0 }]);
}

async function generations(server: InProcessServer): Promise<number> {
  return (await server.metrics()).value("streamer_model_generations_loaded");
}

test("streams that are open end on the model that they began with, and new ones get the one that was reloaded", async () => {
  const file = new ModelFile();
  await using server = await file.serve();
  const [first, second] = [await open(server), await open(server)];
  expect(await versionOf(first)).toBe(1);
  await file.write(2);
  expect(await server.reload()).toMatchObject([
    { model: "tried", result: "loaded", generation: 2, earlier: [{ generation: 1, streams: 2 }] },
  ]);
  const third = await open(server);
  for (const [client, version] of [
    [first, 1],
    [second, 1],
    [third, 2],
  ] as const) {
    expect(await versionOf(client)).toBe(version);
  }
  await stop(first);
  await Bun.sleep(1_000);
  expect(await generations(server)).toBe(2);
  expect(server.logged("model_retired")).toEqual([]);
  expect(await versionOf(second)).toBe(1);
  await stop(second);
  await waitUntil("the end of the earlier generation", async () => (await generations(server)) === 1);
  expect(server.logged("model_retired")).toMatchObject([{ model: "tried", generation: 1 }]);
  expect(await versionOf(third)).toBe(2);
  expect(await (await server.metrics()).value("streamer_worker_starts_total")).toBe(2);
  expect((await server.info()).models).toMatchObject([{ name: "tried", generation: 2 }]);
});

test("the next stream of a connection gets the model that was reloaded, also when it restarts the one before", async () => {
  const file = new ModelFile();
  await using server = await file.serve();
  const client = await open(server);
  await client.sendAudio(BLOCK);
  await file.write(2);
  await server.reload();
  client.start();
  await client.nextEvent("stopped");
  await client.nextEvent("started");
  client.clearMessages();
  expect(await versionOf(client)).toBe(2);
});

test("a model may change its name, its sample rate, its state and its options, for new streams", async () => {
  const file = new ModelFile();
  await using server = await file.serve();
  const old = await open(server, { options: { anything: 1 } });
  const state = "start: () => 0, step: (audio, state) => [{ count: state + audio.length }, state + audio.length]";
  await Bun.write(
    file.path,
    `export default { name: "renamed", sampleRate: 8000, options: [], load: () => ({ ${state} }) };`,
  );
  expect(await server.reload("tried")).toMatchObject([{ model: "renamed", result: "loaded", generation: 2 }]);
  expect((await server.info()).models).toEqual([
    expect.objectContaining({ name: "renamed", sample_rate: 8_000, patterns: ["stateful"], options: [] }),
  ]);
  const next = await open(server, { model: "renamed" }, "/api/v1/stateful");
  await next.sendAudio(BLOCK);
  expect(next.events[0]).toMatchObject({ sample_rate: 8_000 });
  expect(await next.nextEvent("segment")).toMatchObject({ count: 800 });
  const refused = await server.connect({ path: "/api/v1/simple" });
  refused.start({ model: "tried" });
  expect((await refused.nextEvent("error")).code).toBe("unknown_model");
  expect(await versionOf(old)).toBe(1);
  await stop(old);
});

test("a name that another model has is refused at a reload, too", async () => {
  const file = new ModelFile();
  await using server = await file.serve({ "models.other.name": "levels", "models.other.workers": 1 });
  await file.write(2, { name: "other" });
  expect(await server.reload()).toMatchObject([
    {
      model: "tried",
      result: "failed",
      generation: 1,
      reason: 'its name is now "other", which is that of another model; allowed: another name',
    },
  ]);
  expect(await versionOf(await open(server))).toBe(1);
});

test("a file that cannot be loaded leaves the earlier model serving, with the reason in the answer, the log and the metrics", async () => {
  const file = new ModelFile();
  await using server = await file.serve();
  const client = await open(server);
  await Bun.write(file.path, "export default { name: ;\n");
  const [failed] = await server.reload();
  expect(failed).toMatchObject({ model: "tried", result: "failed", generation: 1, earlier: [] });
  expect(failed?.reason).toContain(`it cannot be parsed: Unexpected ; (${file.path}:1:24)`);
  expect(server.logged("model_reload_failed")).toMatchObject([{ model: "tried", reason: failed?.reason }]);
  const metrics = await server.metrics();
  expect(metrics.value("streamer_model_reloads_total", { result: "failed" })).toBe(1);
  expect(metrics.value("streamer_model_generation")).toBe(1);
  for (const each of [client, await open(server)]) expect(await versionOf(each)).toBe(1);
  expect((await server.fetch("/api/v1/ready")).status).toBe(200);
  await file.write(2);
  expect(await server.reload()).toMatchObject([{ result: "loaded", generation: 2 }]);
});

test("more generations than limits.model_generations are refused, until the streams of an earlier one have ended", async () => {
  const file = new ModelFile();
  await using server = await file.serve({ "limits.model_generations": 2 });
  const old = await open(server);
  expect(await server.reload()).toMatchObject([{ result: "loaded", generation: 2 }]);
  expect(await server.reload()).toMatchObject([
    {
      result: "refused",
      generation: 2,
      reason:
        "2 generations of the model are loaded, the earlier ones for 1 stream; " +
        "allowed: 2 together with the next one (limits.model_generations)",
    },
  ]);
  await stop(old);
  await waitUntil("a reload", async () => (await server.reload())[0]?.result === "loaded");
});

test("reloads of a model without streams need not wait for each other", async () => {
  const file = new ModelFile();
  await using server = await file.serve({ "limits.model_generations": 2 });
  for (let generation = 2; generation < 8; generation++) {
    expect(await server.reload()).toMatchObject([{ result: "loaded", generation }]);
  }
});

test("a reload names a model from a file by its name or its file's, and others are refused", async () => {
  const file = new ModelFile();
  await using server = await file.serve({ "models.levels.workers": 1, "models.levels.name": "levels" });
  expect(await server.reload("tried")).toMatchObject([{ generation: 2 }]);
  const alias = file.path.replace(/^.*\/|\.ts$/g, "");
  expect(await server.reload(alias)).toMatchObject([{ model: "tried", generation: 3 }]);
  await expect(server.reload("levels")).rejects.toThrow('model: found "levels", which is built in; allowed: tried');
  await expect(server.reload("tird")).rejects.toThrow('model: found "tird"; allowed: tried');
  const draining = server.drain();
  await expect(server.reload()).rejects.toThrow("the server is shutting down");
  await draining;
});

test("a drain waits for the streams of all generations", async () => {
  const file = new ModelFile();
  await using server = await file.serve();
  const clients = [await open(server)];
  for (const version of [2, 3]) {
    await file.write(version);
    await server.reload();
    clients.push(await open(server));
  }
  const drained = server.drain();
  for (const [i, client] of clients.entries()) {
    expect(await versionOf(client)).toBe(i + 1);
    client.stop();
    await client.waitForClose();
    expect(onlyStream(client.events).stopped).toMatchObject({ reason: "stop", channels: [{ failed: 0 }] });
  }
  await drained;
});

test("a server that is closed during a reload ends, and the reload fails", async () => {
  const file = new ModelFile();
  const server = await file.serve();
  await file.write(2, { fields: "validate() { Bun.sleepSync(500); return []; }," });
  const reload = server.reload();
  await waitUntil("the reload", () => server.logged("model_reloading").length > 0);
  await server[Symbol.asyncDispose]();
  expect(await reload).toMatchObject([{ result: "failed", generation: 1 }]);
});

test("a server that is closed during a reload of several models loads none after that", async () => {
  const [file, other] = [new ModelFile(), new ModelFile()];
  await other.write(1, { name: "other" });
  const server = await file.serve({ "models.other.name": other.path });
  await file.write(2, { fields: "validate() { Bun.sleepSync(500); return []; }," });
  const reload = server.reload();
  await waitUntil("the reload", () => server.logged("model_reloading").length > 0);
  await server[Symbol.asyncDispose]();
  expect(await reload).toMatchObject([
    { result: "failed", generation: 1 },
    { result: "failed", generation: 1, reason: "the server is closed" },
  ]);
});

test("a worker that is replaced after its file has changed is not used if it has another sample rate", async () => {
  const file = new ModelFile();
  const infer = "if (audio.length < 8_000) process.exit(1);";
  await file.write(1, { infer });
  await using server = await InProcessServer.start({ "model.name": file.path });
  const client = await open(server);
  await file.write(2, { fields: "sampleRate: 8000," });
  await client.sendAudio(encode("s16", noise(0.1)));
  client.flush();
  await waitUntil("the refusal", () => server.logged("load_failed").length > 0);
  expect(String(server.logged("load_failed")[0]?.["cause"])).toBe(
    "its file has changed: sampleRate was 16000 and is 8000; a reload of the model uses the new one",
  );
  expect(await server.reload()).toMatchObject([{ result: "loaded", generation: 2 }]);
  expect(await versionOf(await open(server))).toBe(2);
});

test("a thread that does not return keeps its generation counted until it has", async () => {
  const fifo = join(folder, "fifo");
  await Bun.spawn(["mkfifo", fifo]).exited;
  const file = new ModelFile();
  await file.write(1, { infer: `if (audio[0] !== 0) require("node:fs").readFileSync("${fifo}");` });
  await using server = await InProcessServer.start({
    "model.name": file.path,
    "model.inference_timeout_ms": 200,
    "limits.model_generations": 2,
  });
  const client = await open(server);
  await client.sendAudio(encode("s16", noise(0.1)));
  client.stop({ disconnect: true });
  await client.waitForClose();
  expect(client.eventsOf("error").map(({ code }) => code)).toEqual(["inference_timeout"]);
  await file.write(2);
  expect(await server.reload()).toMatchObject([{ result: "loaded", generation: 2 }]);
  await waitUntil("the end of the others", () => server.logged("model_retired").length > 0);
  expect(server.logged("model_retired")).toMatchObject([{ generation: 1, stuck: 1 }]);
  expect(await server.reload()).toMatchObject([{ result: "refused", generation: 2 }]);
  await waitUntil("the end of the thread", async () => {
    // The thread does not read for the moment in which a signal has interrupted it.
    await Bun.write(fifo, "").catch(() => undefined);
    return (await generations(server)) === 1;
  });
  expect(await server.reload()).toMatchObject([{ result: "loaded", generation: 3 }]);
});

test("the state of a stream that ends by itself on an earlier model is disposed of before that model is closed", async () => {
  const file = new ModelFile();
  const record = join(folder, "record");
  const append = (text: string) => `require("node:fs").appendFileSync("${record}", "${text} ")`;
  await Bun.write(
    file.path,
    `export default { name: "kept", load: () => ({
      warmUp() {}, start: () => 0, step: (audio, state) => [{ state }, state + 1],
      dispose(state) { ${append("disposed")} }, close() { ${append("closed")} },
    }) };`,
  );
  await using server = await InProcessServer.start({ "model.name": file.path });
  const client = await open(server, {}, "/api/v1/stateful");
  await client.sendAudio(BLOCK);
  await client.nextEvent("segment");
  expect(await server.reload()).toMatchObject([{ generation: 2, earlier: [{ streams: 1 }] }]);
  client.reset();
  await waitUntil("the end of the earlier generation", () => server.logged("model_retired").length > 0);
  expect(await Bun.file(record).text()).toBe("disposed closed ");
});
