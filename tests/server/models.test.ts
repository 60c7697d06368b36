import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { encode, noise } from "../support/audio.ts";
import { InProcessServer, type Settings } from "../support/in-process-server.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const folder = await mkdtemp(join(tmpdir(), "streamer-models-"));
afterAll(() => rm(folder, { recursive: true }));

/** Writes a model file that exports this name and answers with it. Returns its path. */
async function modelFile(file: string, name: string): Promise<string> {
  const path = join(folder, file);
  const text = `export default { name: ${JSON.stringify(name)}, load: () => ({ infer: () => ({ from: "${file}" }) }) };`;
  await Bun.write(path, text);
  return path;
}

/** Streams a block to the model of this name; undefined: the default. Returns the name in `started`, and the file. */
async function ask(server: InProcessServer, name?: string): Promise<{ model: string; from: unknown }> {
  const client = await server.connect({ path: "/api/v1/simple" });
  client.start(name === undefined ? {} : { model: name });
  await client.sendAudio(encode("s16", noise(0.6)));
  client.stop({ disconnect: true });
  const { model } = await client.nextEvent("started");
  const { from } = (await client.nextEvent("segment")) as unknown as { from: unknown };
  await client.waitForClose();
  return { model, from };
}

async function names(server: InProcessServer): Promise<unknown[]> {
  return (await server.info()).models;
}

describe("the name of a model", () => {
  test("of the default is the one that its file exports: in info, in started, in metrics and in the log", async () => {
    const path = await modelFile("file-name.ts", "exported name");
    await using server = await InProcessServer.start({ "model.name": path });
    expect(await names(server)).toMatchObject([{ name: "exported name", sample_rate: 16_000 }]);
    for (const name of [undefined, "exported name"]) {
      expect(await ask(server, name)).toEqual({ model: "exported name", from: "file-name.ts" });
    }
    expect(server.logged("stream_started").map(({ model }) => model)).toEqual(["exported name", "exported name"]);
    const metrics = await (await server.fetch("/metrics")).text();
    expect(metrics).toContain('streamer_workers{model="exported name",state="idle"} 1');
    expect(metrics).toContain('streamer_streams_started_total{pattern="simple",model="exported name"} 2');
    expect(metrics).not.toContain("file-name");
  });

  test("of the default may also be its file's in a start, as before it was the exported one", async () => {
    const path = await modelFile("alias.ts", "exported");
    await using server = await InProcessServer.start({ "model.name": path });
    expect(await ask(server, "alias")).toEqual({ model: "exported", from: "alias.ts" });
    const client = await server.connect();
    client.start({ model: "alia" });
    expect((await client.nextEvent("error")).message).toBe('model: found "alia"; allowed: exported');
  });

  test("of a further model is its key, so that one file can be served twice", async () => {
    const [first, second] = [await modelFile("first.ts", "same"), await modelFile("second.ts", "same")];
    const settings: Settings = { "model.name": first, "models.a.name": second, "models.b.name": second };
    await using server = await InProcessServer.start({ ...settings, "models.a.workers": 1, "models.b.workers": 1 });
    expect(await names(server)).toMatchObject([{ name: "same" }, { name: "a" }, { name: "b" }]);
    expect(await ask(server, "same")).toEqual({ model: "same", from: "first.ts" });
    expect(await ask(server, "b")).toEqual({ model: "b", from: "second.ts" });
    expect(await (await server.fetch("/metrics")).text()).toContain('streamer_workers{model="b",state="idle"} 1');
  });

  test("that the default model exports and a further model has as its key is refused when the server starts", async () => {
    const path = await modelFile("twin.ts", "levels");
    const settings: Settings = { "model.name": path, "models.levels.workers": 1 };
    await using server = await InProcessServer.start(settings, { load: false });
    await expect(server.load()).rejects.toThrow(
      `models.levels: is already the name of the default model, which ${path} exports; ` +
        "allowed: another key, or another exported name",
    );
    expect((await server.fetch("/api/v1/ready")).status).toBe(503);
  });
});

test("info has for each model its own name, its patterns, whether it keeps state, its options, batch and generation", async () => {
  const path = join(folder, "described.ts");
  await Bun.write(
    path,
    `export default {
      name: "own", sampleRate: 8000, maxBatch: 4, options: ["language", "prompt"],
      load: () => ({ infer: () => ({}), inferBatch: (all) => all.map(() => ({})) }),
    };`,
  );
  const settings: Settings = { "models.served.name": path, "models.served.workers": 1, "models.denoise.workers": 1 };
  await using server = await InProcessServer.start(settings);
  const all = ["simple", "stateful", "segmented"];
  const usual = { sample_rate: 16_000, patterns: all, stateful: false, pinned: false, max_batch: 1, generation: 1 };
  expect(await names(server)).toEqual([
    { name: "simulated", own_name: "simulated", ...usual },
    { name: "served", own_name: "own", ...usual, sample_rate: 8_000, options: ["language", "prompt"], max_batch: 4 },
    { name: "denoise", own_name: "denoise", ...usual, patterns: ["stateful"], stateful: true },
  ]);
});

describe("options of a start that the model", () => {
  async function ask(declared: string, options: object): Promise<Record<string, unknown>> {
    const path = join(folder, `options-${crypto.randomUUID()}.ts`);
    const infer = "(_, call) => ({ got: call.options ?? null })";
    await Bun.write(path, `export default { name: "asked", ${declared} load: () => ({ infer: ${infer} }) };`);
    await using server = await InProcessServer.start({ "model.name": path });
    const client = await server.connect({ path: "/api/v1/simple" });
    client.start({ options });
    await client.sendAudio(encode("s16", noise(0.6)));
    client.stop({ disconnect: true });
    await waitUntil("an answer", () => client.events.some(({ type }) => type === "error" || type === "segment"));
    const [first] = client.events.filter(({ type }) => type === "error" || type === "segment");
    return { ...first };
  }

  test("does not declare are refused by their name, with the nearest one", async () => {
    expect(await ask('options: ["language", "prompt"],', { prompt: "x", languag: "en" })).toMatchObject({
      type: "error",
      code: "invalid_request",
      fatal: false,
      param: "options.languag",
      message: 'unknown field "options.languag"; did you mean "options.language"?',
    });
    expect(await ask('options: ["language", "prompt"],', { zzzzzz: 1 })).toMatchObject({
      message: 'unknown field "options.zzzzzz"; allowed: language, prompt',
    });
    expect(await ask("options: [],", { language: "en" })).toMatchObject({
      message: 'unknown field "options.language"; allowed: none',
    });
  });

  test("declares are passed on, and null counts as absent", async () => {
    expect(await ask('options: ["language"],', { language: "en", languag: null })).toMatchObject({
      type: "segment",
      got: { language: "en" },
    });
  });

  test("could not declare are passed on as they are", async () => {
    expect(await ask("", { anything: [1] })).toMatchObject({ type: "segment", got: { anything: [1] } });
  });
});

test("info answers while the models are being loaded, without models, and has how far that is", async () => {
  await using server = await InProcessServer.start({ "model.delay": 0.5, "model.workers": 2 }, { load: false });
  expect(await names(server)).toEqual([]);
  const [info, ready] = await Promise.all(["info", "ready"].map((page) => fetch(`${server.url}/api/v1/${page}`)));
  expect(await info?.json()).toMatchObject({
    loading: [{ model: "simulated", workers_ready: 0, workers: 2, seconds: 0 }],
  });
  expect(await ready?.json()).toMatchObject({ message: "the models are being loaded: 0 of 2 workers are ready" });
});
