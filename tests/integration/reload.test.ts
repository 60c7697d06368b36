import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { ReloadResult } from "../../src/server/model-entry.ts";
import { encode, freshSeed, noise, seeded } from "../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import type { Settings } from "../support/in-process-server.ts";
import { keepStreaming, loggedBy, ProcessesServer } from "../support/processes.ts";
import { python } from "../support/python.ts";
import { testWith } from "../support/requirements.ts";
import { ScrapedMetrics } from "../support/scraped-metrics.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();
const PATHS = ["/api/v1/simple", "/api/v1/segmented", "/api/v1/stateful"];
const SETTINGS: Settings = { "model.workers": 1, "log.format": "json", "server.admin": "127.0.0.1:0" };

/** A model in a folder of its own, which answers with the version in the file that it imports. */
class Model {
  readonly folder = join(executable.folder, `model-${crypto.randomUUID()}`);
  readonly path = join(this.folder, "my-model.ts");
  readonly helper = join(this.folder, "helper.ts");

  static async create(): Promise<Model> {
    const model = new Model();
    await mkdir(model.folder);
    await writeFile(
      model.path,
      `import { version } from "./helper.ts";
      export default { name: "my-model", load: () => ({ infer: (audio) => ({ count: audio.length, version }) }) };`,
    );
    await model.write(1);
    return model;
  }

  async write(version: number | string, path = this.helper): Promise<void> {
    await writeFile(path, `export const version = ${version};\n`);
  }
}

/** A server without a controlling terminal, wherever the tests run. */
async function serve(model: Model, settings: Settings = {}, args: readonly string[] = []) {
  const all = { ...SETTINGS, "model.name": model.path, ...settings };
  const server = await executable.serve(all, args, {}, ["setsid"]);
  const [ready] = await loggedBy(server, "ready");
  return { server, admin: String(ready?.["admin"]), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function post(admin: string, query = ""): Promise<{ status: number; models: ReloadResult[] }> {
  const response = await fetch(`${admin}/api/v1/reload${query}`, { method: "POST" });
  const { models } = (await response.json()) as { models: ReloadResult[] };
  return { status: response.status, models };
}

/** The version that a new stream gets. */
async function versionOf(server: ServeProcess): Promise<unknown> {
  using client = await server.connect({ path: "/api/v1/simple" });
  client.start();
  await client.sendAudio(encode("s16", noise(0.6)));
  return ((await client.nextEvent("segment")) as unknown as { version: unknown }).version;
}

const seed = freshSeed();

test.each(["thread", "process"])(
  `models in a %s are reloaded under load, and no stream loses a sample or its connection (seed ${seed})`,
  async (isolation) => {
    const random = seeded(seed);
    const model = await Model.create();
    await using served = await serve(model, { "model.workers": 2, "model.isolation": isolation });
    const { server, admin } = served;
    let isOver = false;
    const load = Array.from({ length: 9 }, (_, i) => keepStreaming(server, PATHS[i % 3] ?? "", random, () => isOver));
    const loaded: ReloadResult[] = [];
    for (let version = 2; version < 6; version++) {
      await model.write(version);
      // Streams are shorter than this takes, so that few generations are in use.
      await waitUntil("a reload", async () => {
        const { status, models } = await post(admin);
        if (status === 200) loaded.push(...models);
        return status === 200;
      });
      expect(await versionOf(server)).toBe(version);
    }
    isOver = true;
    const totals = await Promise.all(load);
    const sum = (key: keyof (typeof totals)[number]) => totals.reduce((all, each) => all + each[key], 0);
    expect([sum("broken"), sum("unaccepted")]).toEqual([0, 0]);
    expect(sum("streams")).toBeGreaterThan(0);
    expect(loaded.map(({ generation }) => generation)).toEqual([2, 3, 4, 5]);
    expect(loaded.some(({ earlier }) => earlier.some(({ streams }) => streams > 0))).toBeTrue();
    await waitUntil("the end of all earlier generations", async () => {
      return (await ScrapedMetrics.from(server.url)).value("streamer_model_generations_loaded") === 1;
    });
    const { value } = await ScrapedMetrics.from(server.url);
    expect(value("streamer_streams_started_total")).toBe(sum("streams") + 4);
    expect(value("streamer_workers", { state: "idle" }) + value("streamer_workers", { state: "busy" })).toBe(2);
    expect(value("streamer_worker_deaths_total")).toBe(0);
    expect(server.log.filter(({ event }) => event === "model_retired")).toHaveLength(4);
  },
);

describe("POST /api/v1/reload", () => {
  test("answers with the generation, or with the reason why the earlier one goes on, and twice at once loads in turn", async () => {
    const model = await Model.create();
    await using served = await serve(model);
    const { server, admin } = served;
    await model.write(2);
    const both = await Promise.all([post(admin), post(admin, "?model=my-model")]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    const generations = both.map(({ models }) => models[0]?.generation).sort();
    expect(generations).toEqual([2, 3]);
    expect(await versionOf(server)).toBe(2);
    await model.write("");
    const broken = await post(admin);
    expect(broken.status).toBe(422);
    expect(broken.models).toMatchObject([{ model: "my-model", result: "failed", generation: 3 }]);
    expect(broken.models[0]?.reason).toContain(`it cannot be parsed: Unexpected ; (${model.helper}:1:24)`);
    expect((await loggedBy(server, "model_reload_failed"))[0]?.["reason"]).toBe(broken.models[0]?.reason);
    expect(await versionOf(server)).toBe(2);
  });

  test("refuses unknown models and parameters, and is not there for clients", async () => {
    const model = await Model.create();
    await using served = await serve(model);
    const { server, admin } = served;
    const status = async (url: string, method = "POST") => (await fetch(url, { method })).status;
    expect(await status(`${admin}/api/v1/reload?model=other`)).toBe(400);
    expect(await status(`${admin}/api/v1/reload?modl=my-model`)).toBe(400);
    expect(await status(`${admin}/api/v1/reload`, "GET")).toBe(405);
    expect(await status(`${server.url}/api/v1/reload`)).toBe(404);
    const page = { method: "POST", headers: { Origin: "https://evil.example" } };
    expect((await fetch(`${admin}/api/v1/reload`, page)).status).toBe(403);
    expect(server.err).not.toContain("model_reloading");
  });
});

describe("SIGHUP to one process without a controlling terminal", () => {
  test("reloads its models, and ends nothing", async () => {
    const model = await Model.create();
    await using served = await serve(model);
    const { server } = served;
    using client = await server.connect({ path: "/api/v1/simple" });
    client.start();
    await client.nextEvent("started");
    await model.write(2);
    server.signal("SIGHUP");
    expect((await loggedBy(server, "reloaded"))[0]).toMatchObject({ models: 1 });
    expect(await versionOf(server)).toBe(2);
    await client.sendAudio(encode("s16", noise(0.6)));
    expect(await client.nextEvent("segment")).toMatchObject({ version: 1 });
    await model.write("");
    server.signal("SIGHUP");
    await loggedBy(server, "model_reload_failed");
    expect(await versionOf(server)).toBe(2);
    server.signal("SIGTERM");
    client.stop({ disconnect: true });
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
  });

  test("does nothing to a server with built-in models alone", async () => {
    await using server = await executable.serve({ "model.workers": 1, "log.format": "json" }, [], {}, ["setsid"]);
    server.signal("SIGHUP");
    expect((await loggedBy(server, "reloaded"))[0]).toMatchObject({ models: 0 });
    expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
  });
});

describe("serve --watch", () => {
  test("reloads a model when its file or one that it imports changes, in place or by a rename, and says what happens", async () => {
    const model = await Model.create();
    await using served = await serve(model, {}, ["--watch"]);
    const { server } = served;
    const printed = async (text: string) => await waitUntil(text, () => server.out.includes(text));
    await printed("my-model.ts and 1 file that it imports\n");
    await model.write(2);
    await printed("helper.ts has changed: loading my-model.ts\nmy-model: generation 2 serves new streams, loaded in ");
    expect(await versionOf(server)).toBe(2);
    await model.write(3, `${model.helper}~`);
    await rename(`${model.helper}~`, model.helper);
    await printed("my-model: generation 3 serves new streams");
    expect(await versionOf(server)).toBe(3);
    await model.write("");
    await printed('my-model: generation 3 goes on, because model "');
    expect(await versionOf(server)).toBe(3);
    await writeFile(model.helper, 'export { version } from "./more.ts";\n');
    await printed("Cannot find module './more.ts'");
    await model.write(4, join(model.folder, "more.ts"));
    await printed("more.ts has changed: loading my-model.ts\nmy-model: generation 4 serves new streams");
    expect(await versionOf(server)).toBe(4);
    await rm(model.path);
    await Bun.sleep(600);
    await writeFile(model.path, 'export default { name: "other", load: () => ({ infer: () => ({ version: 5 }) }) };\n');
    await printed("my-model.ts has changed: loading my-model.ts\nother: generation 5 serves new streams");
    expect(await versionOf(server)).toBe(5);
  });
});

testWith(python)(
  "a model in Python is reloaded with the modules beside it, also when they were saved in the same second",
  async () => {
    const folder = join(executable.folder, "python-model");
    await mkdir(join(folder, "parts"), { recursive: true });
    const path = join(folder, "tried.py");
    const model = `name = "tried"
from helper import VERSION
from parts.inner import PART
class Model:
    def __init__(self, settings): pass
    def infer(self, audio, call): return {"version": [VERSION, PART]}
`;
    const helper = async (version: number) => await writeFile(join(folder, "helper.py"), `VERSION = ${version}\n`);
    const inner = async (part: number) => await writeFile(join(folder, "parts", "inner.py"), `PART = ${part}\n`);
    await writeFile(path, model);
    await Promise.all([helper(1), inner(1)]);
    const settings = { ...SETTINGS, "model.name": path, "model.python": python! };
    await using server = await executable.serve(settings, ["--watch"], {}, ["setsid"]);
    await waitUntil("the watch", () => server.out.includes("tried.py and 2 files that it imports\n"));
    expect(await versionOf(server)).toEqual([1, 1]);
    for (let version = 2; version < 4; version++) {
      await helper(version);
      await waitUntil("the reload", () => server.out.includes(`tried: generation ${version} serves new streams`));
      expect(await versionOf(server)).toEqual([version, 1]);
    }
    await inner(2);
    await waitUntil("the reload", () =>
      server.out.includes("inner.py has changed: loading tried.py\ntried: generation 4"),
    );
    expect(await versionOf(server)).toEqual([3, 2]);
    // No cache of bytecode is written beside the files of the author.
    expect((await readdir(folder)).sort()).toEqual(["helper.py", "parts", "tried.py"]);
  },
);

describe("several processes", () => {
  test("reload one after the other by POST and --watch, and stop at the first in which a model cannot be loaded", async () => {
    const model = await Model.create();
    await using served = await ProcessesServer.start(executable, { "model.name": model.path }, ["--watch"]);
    const { server, admin } = served;
    await waitUntil("the watch", () => server.out.includes("watching "));
    const before = await served.processes();
    await model.write(2);
    await waitUntil("both processes", () =>
      server.out.includes("process 2, my-model: generation 2 serves new streams"),
    );
    expect(server.out).toContain("process 1, my-model: generation 2 serves new streams");
    const { status, models } = await post(admin, "?model=my-model");
    expect(status).toBe(200);
    expect(models).toMatchObject([
      { process: 1, model: "my-model", result: "loaded", generation: 3 },
      { process: 2, model: "my-model", result: "loaded", generation: 3 },
    ]);
    await model.write("");
    await waitUntil("the refusal", () => server.out.includes("process 1, my-model: generation 3 goes on, because"));
    expect(await post(admin)).toMatchObject({ status: 422, models: [{ process: 1, result: "failed" }] });
    expect(server.out).not.toContain("process 2, my-model: generation 3 goes on");
    expect((await served.logged("model_reload_failed")).map(({ process }) => process)).not.toContain(2);
    for (let i = 0; i < 4; i++) expect(await versionOf(server)).toBe(2);
    expect((await served.processes()).map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
    expect((await fetch(`${admin}/api/v1/reload?model=other`, { method: "POST" })).status).toBe(400);
  });
});
