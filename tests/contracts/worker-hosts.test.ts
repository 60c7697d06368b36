import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Arena } from "../../src/audio/arena.ts";
import { modelVariables } from "../../src/lib/model-variables.ts";
import type { ModelInfo } from "../../src/model/model-info.ts";
import { viewOf } from "../../src/native/samples.ts";
import { EncodedState } from "../../src/pool/encoded-state.ts";
import type { AudioJob } from "../../src/pool/lane.ts";
import type { Launch } from "../../src/pool/launch.ts";
import { processHost } from "../../src/pool/process-host.ts";
import { pythonLaunch } from "../../src/pool/python-launch.ts";
import { threadHost } from "../../src/pool/thread-host.ts";
import type { CallResult, HostExit, HostOptions, LaneJob, StartHost, WorkerHost } from "../../src/pool/worker-host.ts";
import type { ModelReport } from "../../src/worker/model-reports.ts";
import { ADDON_IMPORTS, addonModel, BLOCK, buildAddon, WAIT } from "../support/blocking-addon.ts";
import { inlineHost } from "../support/inline-host.ts";
import { STEP_ORDERS } from "../support/models/pinned.ts";
import { ORDERS } from "../support/models/puppet.ts";
import { REPORTS } from "../support/models/reporting.ts";
import { WAITS } from "../support/models/waiting.ts";
import { checkPinnedUnderDeaths } from "../support/pinned-under-deaths.ts";
import { launchProcess, modelPath, testPool, workerUrl, writeSpan } from "../support/pool-harness.ts";
import { python, pythonModel } from "../support/python.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** A started host and its reports. */
class HostHarness implements AsyncDisposable {
  readonly arena = new Arena(16);
  readonly host: WorkerHost;
  readonly reports: ("ready" | "done" | "strange" | "exited")[] = [];
  readonly modelReports: ModelReport[] = [];
  info: ModelInfo | undefined;
  result: CallResult | undefined;
  readonly done: CallResult[] = [];
  exit: HostExit | undefined;
  #calls = 0;
  /** A method of the host is running. */
  #inside = true;

  constructor(startHost: StartHost, model: string, settings: Record<string, unknown> = {}) {
    const report = (name: (typeof this.reports)[number]): void => {
      if (this.#inside) throw new Error(`${name} is reported within a method of the host`);
      if (this.exit !== undefined) throw new Error(`${name} is reported after the exit`);
      this.reports.push(name);
    };
    this.host = startHost(
      { model, settings, arena: this.arena, spawn: 0 },
      {
        ready: (info) => {
          report("ready");
          this.info = info;
        },
        done: (results) => {
          for (const result of results) {
            report("done");
            this.done.push(result);
            this.result = result;
          }
        },
        reported: (each) => this.modelReports.push(each),
        strangeMessage: () => report("strange"),
        exited: (exit) => {
          report("exited");
          this.exit = exit;
        },
      },
    );
    this.#inside = false;
  }

  async loaded(): Promise<this> {
    await waitUntil("the host is ready", () => this.info !== undefined || this.exit !== undefined);
    expect(this.exit).toBeUndefined();
    return this;
  }

  async ended(): Promise<HostExit> {
    await waitUntil("the host has ended", () => this.exit !== undefined);
    return this.exit!;
  }

  job(samples: ArrayLike<number>, job: Partial<AudioJob> = {}, lane: LaneJob["lane"] = LANE): LaneJob {
    const audio = writeSpan(this.arena, samples);
    return { job: { kind: "final", start: 0, end: audio.length, audio, ...job }, lane };
  }

  start(...jobs: LaneJob[]): number {
    this.result = undefined;
    this.#inside = true;
    this.host.call(++this.#calls, jobs);
    this.#inside = false;
    return this.#calls;
  }

  /** Starts a call and waits until the model has taken it. */
  async run(...jobs: LaneJob[]): Promise<void> {
    for (let call = this.start(...jobs); ; call = this.start(...jobs)) {
      await Bun.sleep(5);
      if (!this.host.withdraw(call)) return;
    }
  }

  async call(...jobs: LaneJob[]): Promise<CallResult["results"]> {
    const call = this.start(...jobs);
    await waitUntil("the call has ended", () => this.result !== undefined || this.exit !== undefined);
    expect(this.result?.call).toBe(call);
    expect(this.result?.inferMs).toBeGreaterThanOrEqual(0);
    return this.result!.results;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.host.terminate();
    await this.ended();
  }
}

/** First sample of a call that takes a while, for the model `broken` with `how: "close"`. */
const LATE = 3;

/** A path in a new folder, which is removed at the end. */
function temporaryFile(): AsyncDisposable & { readonly path: string } {
  const folder = mkdtempSync(join(tmpdir(), "streamer-host-"));
  return { path: join(folder, "file"), [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }) };
}

const LANE = { number: 7, options: undefined };

const launchPython = ({ model }: HostOptions): Launch => pythonLaunch(model, python!, modelVariables({}));

type HostCase = readonly [name: string, startHost: StartHost, modelPath: (name: string) => string];

const PYTHON_HOSTS: readonly HostCase[] =
  python === undefined ? [] : [["Python", processHost(launchPython, () => {}), pythonModel]];

const HOSTS: readonly HostCase[] = [
  ["thread", threadHost(workerUrl), modelPath],
  ["process", processHost(launchProcess, () => {}), modelPath],
  ["inline", inlineHost, modelPath],
  ...PYTHON_HOSTS,
];

describe.each(HOSTS)("%s host", (hostName, startHost, modelPath) => {
  const start = (model: string, settings?: Record<string, unknown>) =>
    new HostHarness(startHost, modelPath(model), settings);

  test("reports the loaded model, once", async () => {
    await using harness = await start("batching").loaded();
    expect(harness.info).toMatchObject({ name: "batching", sampleRate: 16_000, stateful: false, maxBatch: 8 });
    expect(harness.reports).toEqual(["ready"]);
  });

  test("ends with the cause when the model cannot be loaded", async () => {
    const harness = start("broken", { how: "throw" });
    expect((await harness.ended()).cause).toContain("no weights");
    expect(harness.reports).toEqual(["exited"]);
  });

  test("passes spans over several slabs whole, and returns one result for each job, in order", async () => {
    await using harness = await start("batching").loaded();
    const ramp = (length: number) => Float32Array.from({ length }, (_value, i) => (i === 0 ? 0 : i / 16_384));
    const results = await harness.call(harness.job(ramp(3)), harness.job(ramp(10_000)), harness.job(ramp(2)));
    expect(results.map(({ output }) => output)).toEqual(
      [3, 10_000, 2].map((count) => ({ count, last: (count - 1) / 16_384, together: 3 })),
    );
  });

  test("does not let the model write to the arena", async () => {
    await using harness = await start("puppet").loaded();
    const job = harness.job([ORDERS.scribble, 0.5]);
    await harness.call(job);
    const [slab = 0] = job.job.audio.slabs;
    const first = slab * Arena.SLAB_SAMPLES + job.job.audio.offset;
    expect([...viewOf(harness.arena.samples, first, 2)]).toEqual([ORDERS.scribble, 0.5]);
  });

  test("passes the options of each lane and the trace context of each job", async () => {
    await using harness = await start("puppet").loaded();
    const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const order = [ORDERS.optionsBack];
    const german = { number: 1, options: { language: "de" } };
    const plain = { number: 2, options: undefined };
    const output = async (job: LaneJob) => (await harness.call(job))[0]?.output;
    expect(await output(harness.job(order, { traceparent }, german))).toEqual({ options: german.options, traceparent });
    expect(await output(harness.job(order, {}, plain))).toEqual({ options: null, traceparent: null });
    harness.host.forget(plain.number);
    expect(await output(harness.job(order, {}, german))).toEqual({ options: german.options, traceparent: null });
    harness.host.forget(german.number);
    expect(await output(harness.job(order, {}, { number: 3, options: 1 }))).toEqual({ options: 1, traceparent: null });
  });

  test("passes interims as such", async () => {
    await using harness = await start("puppet").loaded();
    expect((await harness.call(harness.job([0], { kind: "interim" })))[0]?.output).toMatchObject({ final: false });
  });

  test("returns audio, with the sample rate of the model or its own", async () => {
    await using harness = await start("puppet").loaded();
    const [own] = await harness.call(harness.job([ORDERS.own, 0.5]));
    expect(own?.audio).toEqual({ samples: Float32Array.of(ORDERS.own, 0.5), sampleRate: 16_000 });
    const [other] = await harness.call(harness.job([ORDERS.sound, 1]));
    expect(other?.audio).toEqual({ samples: Float32Array.of(ORDERS.sound / 2, 0.5), sampleRate: 8000 });
    expect(other?.output).toEqual({ count: 2, last: 1, final: true });
  });

  test("passes the state of a stateful model by value", async () => {
    await using harness = await start("summing").loaded();
    const [started] = await harness.call(harness.job([], { step: "start" }));
    const [first] = await harness.call(harness.job([0, 2, 3], { step: "step", state: started?.state }));
    expect(first?.output).toEqual({ sum: 5, before: [] });
    const [again] = await harness.call(harness.job([0, 1], { step: "step", state: first?.state }));
    expect(again?.output).toEqual({ sum: 6, before: [0, 2, 3] });
    const [silent] = await harness.call(harness.job([0], { step: "step", state: again?.state }));
    expect(silent).toEqual({ state: expect.anything() });
    const [finished] = await harness.call(harness.job([], { step: "finish", state: again?.state }));
    expect(finished?.output).toEqual({ total: 6 });
  });

  if (hostName === "process" || hostName === "Python") {
    test("fails a call whose state cannot be decoded, or was not encoded by a process, and continues", async () => {
      await using harness = await start("summing").loaded();
      for (const state of [new EncodedState(Uint8Array.of(1, 2, 3)), Uint8Array.of(1, 2, 3), { sum: 1, history: [] }]) {
        const [result] = await harness.call(harness.job([0, 1], { step: "step", state }));
        expect(result?.error).toStartWith("the model's state cannot be restored");
        expect(result?.state).toBeUndefined();
      }
      const [started] = await harness.call(harness.job([0, 2], { step: "start" }));
      expect(started?.output).toMatchObject({ sum: 2 });
      expect(harness.exit).toBeUndefined();
    });
  }

  test("returns an error of the model as the result and continues", async () => {
    await using harness = await start("puppet").loaded();
    for (const [order, message] of [
      [ORDERS.throw, "the model's own words"],
      [ORDERS.laterThrow, "late words"],
    ] as const) {
      const [result] = await harness.call(harness.job([order]));
      expect(result).toEqual({ error: expect.stringContaining(message), stack: expect.stringContaining("puppet.") });
    }
    expect((await harness.call(harness.job([0])))[0]?.error).toBeUndefined();
  });

  test("marks the error of a whole batch, which may be about any of its jobs", async () => {
    await using harness = await start("failing-batches").loaded();
    const error = expect.stringMatching(/^(ValueError: )?none of these$/);
    const failed = { error, stack: expect.stringContaining("failing-batches."), wholeBatch: true };
    expect(await harness.call(harness.job([0]), harness.job([1]))).toEqual([failed, failed]);
  });

  if (hostName !== "Python") {
    test("reports the metrics that its model declares, the last ones when it is closed, and that it cannot serve", async () => {
      const harness = await start("reporting").loaded();
      expect(harness.info?.metrics).toMatchObject({ calls: { type: "counter", labels: ["kind"] } });
      const { modelReports } = harness;
      for (const order of [REPORTS.count, REPORTS.outage]) await harness.call(harness.job([order]));
      await waitUntil("it is reported", () => modelReports.some(({ unavailable }) => unavailable !== undefined));
      await harness.call(harness.job([REPORTS.recovery]));
      await harness.call(harness.job([REPORTS.misuse]));
      if (hostName !== "inline") {
        harness.host.close();
        await harness.ended();
        expect(harness.reports.slice(-1)).toEqual(["exited"]);
        const calls = modelReports.flatMap(({ metrics = [] }) => metrics.filter(({ name }) => name === "calls"));
        expect(calls.reduce((sum, { value }) => sum + value, 0)).toBe(4);
        expect(new Set(calls.flatMap(({ labels }) => labels))).toEqual(new Set(["any"]));
        expect(modelReports.flatMap(({ metrics = [] }) => metrics.filter(({ name }) => name === "ready"))).toEqual([
          { name: "ready", labels: [], value: 1 },
        ]);
      } else {
        await waitUntil("it is reported", () => modelReports.some(({ unavailable }) => unavailable === null));
        harness.host.terminate();
        await harness.ended();
      }
      const reasons = modelReports.flatMap(({ unavailable }) => (unavailable === undefined ? [] : [unavailable]));
      expect(reasons).toEqual(["no engine answers", null]);
    });
  }

  if (hostName !== "Python") {
    test("runs as many calls at once as its model takes, each with audio of its own, and reports them in any order", async () => {
      await using harness = await start("waiting").loaded();
      expect(harness.info?.concurrency).toBe(4);
      const audioOf = (i: number): number[] => [WAITS.meet, ...Array<number>(5000 + i).fill(i)];
      const calls = [0, 1, 2, 3].map((i) => harness.start(harness.job(audioOf(i))));
      await waitUntil("all calls have ended", () => harness.done.length === calls.length);
      expect(harness.done.map(({ call }) => call)).toEqual(calls.toReversed());
      expect(harness.done.map(({ results }) => results[0]?.output)).toEqual(
        [3, 2, 1, 0].map((i) => ({ together: i + 1, first: WAITS.meet, last: i, count: 5001 + i })),
      );
    });

    test("aborts the signal of one call; the others go on", async () => {
      await using harness = await start("waiting").loaded();
      const [slow, other] = [harness.start(harness.job([WAITS.forAbort])), harness.start(harness.job([30]))];
      await waitUntil("the call is taken", () => harness.host.hasTaken(slow));
      harness.host.abort(slow, "timeout");
      harness.host.abort(99, "timeout");
      await waitUntil("both calls have ended", () => harness.done.length === 2);
      expect(harness.host.hasTaken(slow)).toBe(false);
      const results = new Map(harness.done.map(({ call, results: [result] }) => [call, result]));
      expect(results.get(slow)).toMatchObject({ error: "the call took too long" });
      expect(results.get(other)?.output).toMatchObject({ first: 30 });
      const [reason] = await harness.call(harness.job([WAITS.reason]));
      expect(reason?.output).toEqual({ aborted: 1, last: "TimeoutError" });
    });

    test("a signal is aborted when the host is closed, which ends when all calls have", async () => {
      const harness = await start("waiting").loaded();
      const calls = [WAITS.forAbort, WAITS.forAbort, 20].map((order) => harness.start(harness.job([order])));
      await waitUntil("the calls are taken", () => calls.every((call) => harness.host.hasTaken(call)));
      harness.host.close();
      await harness.ended();
      expect(harness.reports).toEqual(["ready", "exited"]);
    });

    test("passes the code of an error that the model has chosen", async () => {
      await using harness = await start("waiting").loaded();
      const [result] = await harness.call(harness.job([WAITS.refused]));
      expect(result).toMatchObject({ error: "the engine is away", code: "model_unavailable" });
    });

    test("takes steps of different pinned streams at once, and closes the stream of a lane that ends during its call", async () => {
      await using harness = await start("waiting-pinned").loaded();
      const lane = (number: number): LaneJob["lane"] => ({ number, options: undefined });
      for (const number of [1, 2]) harness.start(harness.job([number], { step: "start" }, lane(number)));
      harness.host.forget(2);
      harness.start(harness.job([3], { step: "start" }, lane(3)));
      await waitUntil("all calls have ended", () => harness.done.length === 3);
      const outputs = harness.done.map(({ results: [result] }) => result?.output);
      expect(outputs.toSorted((a, b) => Number(a?.["sum"]) - Number(b?.["sum"]))).toMatchObject(
        [1, 2, 3].map((sum) => ({ sum, together: 1 })),
      );
      const [finished] = await harness.call(harness.job([], { step: "finish" }, lane(1)));
      expect(finished?.output).toEqual({ total: 1, open: 2 });
    });

    test("takes steps of different streams at once", async () => {
      await using harness = await start("waiting-stream").loaded();
      const lane = (number: number): LaneJob["lane"] => ({ number, options: undefined });
      for (const number of [1, 2, 3]) harness.start(harness.job([number], { step: "start" }, lane(number)));
      await waitUntil("all calls have ended", () => harness.done.length === 3);
      const byCall = harness.done.toSorted((a, b) => a.call - b.call);
      expect(byCall.map(({ results: [result] }) => result?.output)).toEqual(
        [1, 2, 3].map((number) => ({ sum: number, together: number })),
      );
    });
  }

  if (hostName === "thread" || hostName === "process") {
    test("a model that blocks in spite of its concurrency runs its calls one after the other", async () => {
      await using harness = await start("waiting").loaded();
      const blocked = harness.start(harness.job([WAITS.blocking]));
      await waitUntil("the call is taken", () => harness.host.hasTaken(blocked));
      const behind = [1, 2].map(() => harness.start(harness.job([WAITS.blocking])));
      expect(behind.map((call) => harness.host.hasTaken(call))).toEqual([false, false]);
      await waitUntil("all calls have ended", () => harness.done.length === 3);
      expect(harness.done.map(({ results: [result] }) => result?.output)).toEqual(
        [1, 1, 1].map((together) => ({ together })),
      );
    });
  }

  test("terminated while it loads, it ends and is never ready", async () => {
    const harness = start("puppet");
    harness.host.terminate();
    harness.host.terminate();
    await harness.ended();
    expect(harness.reports).toEqual(["exited"]);
  });

  test("terminated during a call, it ends without a result", async () => {
    const harness = await start("puppet").loaded();
    await harness.run(harness.job([ORDERS.later]));
    harness.host.terminate();
    await harness.ended();
    expect(harness.reports.filter((report) => report !== "done")).toEqual(["ready", "exited"]);
  });

  test("closes its model when it is closed, then ends", async () => {
    await using file = temporaryFile();
    const harness = await start("broken", { how: "close", file: file.path }).loaded();
    harness.host.close();
    await harness.ended();
    expect(readFileSync(file.path, "utf8")).toBe("closed");
  });

  test("closed during a call, it closes its model and ends when the call has ended, and reports no result", async () => {
    await using file = temporaryFile();
    const harness = await start("broken", { how: "close", file: file.path }).loaded();
    await harness.run(harness.job([LATE]));
    harness.host.close();
    await harness.ended();
    expect(harness.reports).toEqual(["ready", "exited"]);
    // The call ran to its end before the model was closed.
    expect(readFileSync(file.path, "utf8")).toBe("called\nclosed");
  });

  test("closed while it loads, it closes its model and ends when it has loaded, and is never ready", async () => {
    await using file = temporaryFile();
    const harness = start("broken", { how: "close", file: file.path });
    harness.host.close();
    await harness.ended();
    expect(harness.reports).toEqual(["exited"]);
    // A model in Python is made when the server has checked what it declares, which it does not do any more.
    if (hostName !== "Python") expect(readFileSync(file.path, "utf8")).toBe("closed");
  });

  test("closed during a call that starts a stream, it disposes of the state, which nobody gets", async () => {
    await using file = temporaryFile();
    const harness = await start("handles", { file: file.path }).loaded();
    const before = readFileSync(file.path, "utf8");
    await harness.run(harness.job([ORDERS.pause], { step: "start" }));
    harness.host.close();
    await harness.ended();
    const events = readFileSync(file.path, "utf8").slice(before.length);
    expect(events).toMatch(/^started (\S+) 0\nstepping \1 0\ndisposed \1 1\n$/);
  });

  test("gives a state to `dispose`", async () => {
    await using file = temporaryFile();
    await using harness = await start("handles", { file: file.path }).loaded();
    expect(harness.info).toMatchObject({ stateful: true, disposes: true });
    const [started] = await harness.call(harness.job([0], { step: "start" }));
    const [disposed] = await harness.call(harness.job([], { step: "dispose", state: started?.state }));
    expect(disposed).toEqual({});
    expect(readFileSync(file.path, "utf8")).toMatch(/\nstarted (\S+) 0\ndisposed \1 1\n$/);
  });

  test("keeps a pinned stream from its first call to its end, and resets it between utterances", async () => {
    await using file = temporaryFile();
    await using harness = await start("pinned", { file: file.path }).loaded();
    expect(harness.info).toMatchObject({ name: "pinned", pinned: true, stateful: false, maxBatch: 4 });
    const call = async (step: "start" | "step" | "finish", samples: number[] = []) =>
      (await harness.call(harness.job(samples, { step })))[0];
    expect(await call("start", [0, 1])).toEqual({ output: { stream: "0.0", samples: 2, sum: 1 }, opened: true });
    expect(await call("step", [0, 2, 3])).toEqual({ output: { stream: "0.0", samples: 5, sum: 6 } });
    expect(await call("step", [STEP_ORDERS.nothing])).toEqual({});
    expect(await call("step", [STEP_ORDERS.endpoint])).toMatchObject({ output: { samples: 7 }, endpoint: true });
    expect(await call("step", [STEP_ORDERS.onlyEndpoint])).toEqual({ endpoint: true });
    expect((await call("step", [STEP_ORDERS.strangeEndpoint]))?.error).toContain('"endpoint"');
    expect(await call("finish")).toEqual({ output: { stream: "0.0", total: 9, sum: 6 } });
    expect(await call("start", [0, 1])).toEqual({ output: { stream: "0.0", samples: 2, sum: 1 } });
    expect(await call("start", [0, 1])).toMatchObject({ output: { stream: "0.1", samples: 2 }, opened: true });
    const events = ["opened 0.0", "finished 0.0", "reset 0.0", "closed 0.0", "opened 0.1"];
    expect(readFileSync(file.path, "utf8")).toBe(`${events.join("\n")}\n`);
  });

  test("closes the pinned stream of a lane that is forgotten, and when it is closed all of them before the model", async () => {
    await using file = temporaryFile();
    const harness = await start("pinned", { file: file.path }).loaded();
    for (const number of [1, 2, 3]) {
      await harness.call(harness.job([0], { step: "start" }, { number, options: number === 2 ? {} : undefined }));
    }
    const before = readFileSync(file.path, "utf8");
    const events = (): string => readFileSync(file.path, "utf8").slice(before.length);
    for (const [number, stream] of [
      [2, "0.1"],
      [1, "0.0"],
    ] as const) {
      harness.host.forget(number);
      await waitUntil("the stream is closed", () => events().endsWith(`closed ${stream}\n`));
    }
    const next = await harness.call(harness.job([0], { step: "step" }, { number: 1, options: undefined }));
    expect(next).toMatchObject([{ opened: true, output: { stream: "0.3", samples: 1 } }]);
    harness.host.close();
    await harness.ended();
    expect(events()).toBe(
      ["closed 0.1", "closed 0.0", "opened 0.3", "closed 0.2", "closed 0.3", "ended 0", ""].join("\n"),
    );
  });

  test("a pinned stream outlives an error of a step, but not one that says so, nor one of `finish`", async () => {
    await using harness = await start("pinned", { throws: "finish" }).loaded();
    const call = async (step: "start" | "step" | "finish", samples: number[] = []) =>
      (await harness.call(harness.job(samples, { step })))[0];
    await call("start", [0]);
    for (const [order, words] of [
      [STEP_ORDERS.throw, "as ordered"],
      [STEP_ORDERS.laterThrow, "as ordered, later"],
    ] as const) {
      expect((await call("step", [order]))?.error).toEndWith(words);
      expect(await call("step", [0])).toMatchObject({ output: { stream: "0.0" } });
    }
    expect((await call("step", [STEP_ORDERS.lose]))?.error).toEndWith("gone, as ordered");
    expect(await call("step", [0])).toMatchObject({ output: { stream: "0.1", samples: 1 }, opened: true });
    expect((await call("finish"))?.error).toEndWith("finish fails");
    expect(await call("finish")).toEqual({ opened: true });
    expect(await call("step", [0])).toMatchObject({ output: { stream: "0.2", samples: 1 }, opened: true });
  });

  test("steps of several pinned streams share a call, whose utterances and times each has of its own", async () => {
    await using harness = await start("pinned").loaded();
    const lanes = [1, 2, 3].map((number) => ({ number, options: { number } }));
    const jobs = (samples: readonly number[][], step: "start" | "step"): LaneJob[] =>
      lanes.map((lane, i) => harness.job(samples[i]!, { step, start: 8000 * i, utterance: i }, lane));
    const started = await harness.call(...jobs([[0], [0, 1], [0, 1, 2]], "start"));
    expect(started).toMatchObject([1, 2, 3].map((samples) => ({ output: { samples, together: 3 }, opened: true })));
    const asked = await harness.call(
      ...jobs(
        [1, 2, 3].map(() => [STEP_ORDERS.callBack]),
        "step",
      ),
    );
    expect(asked).toEqual(
      [0, 1, 2].map((i) => ({
        output: { start: i / 2, utterance: i, options: { number: i + 1 }, traceparent: null, together: 3 },
      })),
    );
    const error = expect.stringMatching(/as ordered$/);
    const failed = { error, stack: expect.stringContaining("pinned."), wholeBatch: true };
    expect(await harness.call(...jobs([[0], [STEP_ORDERS.throw], [0]], "step"))).toEqual([failed, failed, failed]);
    expect(await harness.call(...jobs([[0], [0], [0]], "step"))).toMatchObject(
      [3, 4, 5].map((samples) => ({ output: { samples } })),
    );
  });

  test("closed during a step, it closes each pinned stream once and then its model", async () => {
    await using file = temporaryFile();
    const harness = await start("pinned", { file: file.path }).loaded();
    const lane = (number: number): LaneJob["lane"] => ({ number, options: undefined });
    for (const number of [1, 2]) await harness.call(harness.job([0], { step: "start" }, lane(number)));
    harness.host.forget(1);
    await harness.run(harness.job([STEP_ORDERS.later], { step: "start" }, lane(3)));
    harness.host.close();
    await harness.ended();
    const events = ["opened 0.0", "opened 0.1", "closed 0.0", "opened 0.2", "stepping 0.2"];
    expect(readFileSync(file.path, "utf8").trim().split("\n")).toEqual([
      ...events,
      ...["closed 0.1", "closed 0.2", "ended 0"],
    ]);
  });

  if (hostName === "process" || hostName === "Python") {
    test("loses no sample of a pinned stream when processes die at random", async () => {
      await checkPinnedUnderDeaths({ crashes: 4, startHost, model: modelPath("pinned") });
    });
  }

  test("closed without anything to close, it ends", async () => {
    const harness = await start("puppet").loaded();
    harness.host.close();
    await harness.ended();
    expect(harness.reports).toEqual(["ready", "exited"]);
  });

  test("ignores everything after its end", async () => {
    const harness = await start("puppet").loaded();
    harness.host.terminate();
    await harness.ended();
    harness.start(harness.job([0]));
    harness.host.forget(LANE.number);
    harness.host.close();
    harness.host.terminate();
    await Bun.sleep(1);
    expect(harness.reports).toEqual(["ready", "exited"]);
  });

  test("carries a pool", async () => {
    await using kit = await testPool({ model: modelPath("batching"), startHost, workers: 2 });
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_value, i) => kit.submit(kit.lane(), [0, i])));
    expect(outcomes).toMatchObject(Array.from({ length: 20 }, (_value, i) => ({ status: "ok", output: { last: i } })));
    expect(kit.arena.used).toBe(0);
  });
});

test("a worker thread gets the options of a lane once, before its first call, and learns that the lane is closed", async () => {
  // The thread reports each message that concerns a lane as a strange one, and answers each call.
  const source = `
    import { CallRing } from ${JSON.stringify(join(import.meta.dir, "../../src/worker/call-ring.ts"))};
    const info = { name: "echo", sampleRate: 16000, stateful: false, maxBatch: 1, maxBatchWaitMs: 0, idempotent: false };
    let ring, taken;
    self.onmessage = ({ data: message }) => {
      if (message.type === "load") {
        ring = new CallRing(message.calls);
        self.postMessage({ type: "ready", info, closes: false });
      } else {
        ring.countReceived();
        if (message.type !== "wake") self.postMessage({ type: "strange", message });
      }
      for (;;) {
        taken ??= ring.take();
        if (ring.messageWaits) return;
        if (taken === undefined) {
          if (ring.sleep()) return;
          continue;
        }
        self.postMessage({ type: "done", position: taken.position, inferMs: 0, results: taken.jobs.map(() => ({})) });
        taken = undefined;
      }
    };`;
  const folder = mkdtempSync(join(tmpdir(), "streamer-host-"));
  try {
    const file = join(folder, "echo.ts");
    await Bun.write(file, source);
    await using harness = await new HostHarness(threadHost(file), "echo").loaded();
    const job: AudioJob = { kind: "final", start: 0, end: 0, audio: { slabs: [], offset: 0, length: 0 } };
    for (const call of [1, 2]) {
      harness.host.call(call, [{ job, lane: { number: 7, options: { language: "en" } } }]);
      await waitUntil("the call has ended", () => harness.result?.call === call);
    }
    harness.host.forget(7);
    harness.host.forget(8);
    await waitUntil(
      "the lane is forgotten",
      () => harness.reports.filter((report) => report === "strange").length === 2,
    );
    expect(harness.reports).toEqual(["ready", "strange", "done", "done", "strange"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

describe("a worker thread", () => {
  const startThread = threadHost(workerUrl);

  test("that blocks ends by itself when it is closed: it closes its model after the call", async () => {
    const harness = await new HostHarness(startThread, modelPath("puppet")).loaded();
    await harness.run(harness.job([ORDERS.native]));
    harness.host.close();
    await harness.ended();
    expect(harness.reports).toEqual(["ready", "exited"]);
    expect(harness.exit?.cause).toBe("the thread ended with exit code 0");
  });

  test.each(["hang", "spin"] as const)("that would never end (%s) is terminated", async (order) => {
    const harness = await new HostHarness(startThread, modelPath("puppet")).loaded();
    await harness.run(harness.job([ORDERS[order]]));
    harness.host.close();
    await Bun.sleep(20);
    expect(harness.reports).toEqual(["ready"]);
    harness.host.terminate();
    await harness.ended();
  });

  describe("that has loaded a native add-on", () => {
    let folder = "";
    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "streamer-addon-"));
      await buildAddon(join(folder, "blocking.node"));
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    /** A host whose model loads the add-on by these statements. */
    function addonHost(load: string, setting: Record<string, unknown> = {}): HostHarness {
      const path = join(folder, `${crypto.randomUUID()}.ts`);
      writeFileSync(path, addonModel(load));
      return new HostHarness(startThread, path, setting);
    }

    for (const [way, load] of Object.entries(ADDON_IMPORTS)) {
      test(`by ${way} is not interrupted within it, which would end the process: it ends when the call returns`, async () => {
        const harness = await addonHost(load).loaded();
        for (const end of ["terminate", "close"] as const) {
          const host = await addonHost(load).loaded();
          await host.run(host.job([BLOCK]));
          host.host[end]();
          await host.ended();
          expect(host.reports.at(-1)).toBe("exited");
        }
        expect((await harness.call(harness.job([0])))[0]?.output).toEqual({ answer: 42 });
        harness.host.terminate();
        await harness.ended();
      });
    }

    test("is not interrupted while it loads", async () => {
      const harness = addonHost(ADDON_IMPORTS.require, { loads: true });
      await Bun.sleep(60);
      harness.host.terminate();
      await harness.ended();
      expect(harness.reports).toEqual(["exited"]);
    });

    test("and waits for ever is ended by terminate", async () => {
      const harness = await addonHost(ADDON_IMPORTS.require).loaded();
      await harness.run(harness.job([WAIT]));
      harness.host.close();
      await Bun.sleep(20);
      expect(harness.reports).toEqual(["ready"]);
      harness.host.terminate();
      await harness.ended();
    });
  });
});
