import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { checkModel, type Finding } from "../../../../src/commands/model/checks/check-model.ts";
import { builtInModels } from "../../../../src/model/models.ts";
import { hostFor } from "../../../../src/pool/host-for.ts";
import { threadHost } from "../../../../src/pool/thread-host.ts";
import { concat, noise, voice } from "../../../support/audio.ts";
import { ADDON_IMPORTS, addonModel, buildAddon } from "../../../support/blocking-addon.ts";
import { FakeEngine } from "../../../support/engines/fake-engine.ts";
import { modelCommand, modelPath, workerUrl } from "../../../support/pool-harness.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const QUICK = { delay: 0, constant_factor: 0, jitter: 0 };

async function findingsOf(model: string, settings: Record<string, unknown> = {}, workers = 1): Promise<Finding[]> {
  const findings: Finding[] = [];
  const options = {
    model,
    settings,
    workers,
    startHost: threadHost(workerUrl),
    inferenceTimeoutMs: 10_000,
    loadTimeoutMs: 10_000,
  };
  await checkModel(options, (finding) => findings.push(finding));
  return findings;
}

/** Returns the finding of one check, such as "ok: equal". */
function findingOf(findings: readonly Finding[], check: string): string {
  const { verdict, text } = findings.find((finding) => finding.check === check) ?? { verdict: "nothing", text: "" };
  return `${verdict}: ${text}`;
}

function failed(findings: readonly Finding[]): string[] {
  return findings.filter(({ verdict }) => verdict === "FAIL").map(({ check }) => check);
}

for (const name of builtInModels) {
  test(`the built-in model ${name} passes`, async () => {
    await using engine = await FakeEngine.start();
    const own: Record<string, Record<string, unknown>> = { simulated: QUICK, remote: { urls: engine.url, model: "m" } };
    const findings = await findingsOf(name, own[name] ?? {}, 2);
    expect(failed(findings)).toEqual([]);
    expect(findingOf(findings, "load")).toMatch(/^ok: ".*", \d+ Hz, with.*; loaded and warm in \d+ ms$/);
    expect(findingOf(findings, "deterministic")).toMatch(/^ok/);
    expect(findingOf(findings, "afterwards")).toMatch(/^ok: the same results? as at the start$/);
  });
}

test("a model that takes several calls at once is measured with them; one that blocks gets a note", async () => {
  const patient = await findingsOf(modelPath("patient"));
  expect(failed(patient)).toEqual([]);
  expect(findingOf(patient, "load")).toContain("without state, up to 16 calls at once");
  expect(findingOf(patient, "concurrency")).toMatch(
    /^ok: 8 calls at once take \d+ ms, in turn \d+ ms; the results are the same$/,
  );
  const blocking = await findingsOf(modelPath("patient"), { how: "blocking" });
  expect(findingOf(blocking, "concurrency")).toMatch(
    /^note: 8 calls at once take \d+ ms, in turn \d+ ms: the model blocks/,
  );
  const forgetful = await findingsOf(modelPath("patient"), { how: "mixing" });
  expect(findingOf(forgetful, "concurrency")).toMatch(/^FAIL: piece 0 has another result beside other calls: /);
});

test("a correct model is measured in a batch, and an idempotent one that does not declare it gets a note", async () => {
  const findings = await findingsOf(modelPath("misbehaving"));
  expect(failed(findings)).toEqual([]);
  expect(findingOf(findings, "batch")).toMatch(
    /^ok: results are equal; a batch of 4 takes as long as [\d.]+ single calls/,
  );
  expect(findingOf(findings, "idempotent")).toMatch(/^note: not declared, but results repeat/);
  expect(findingOf(findings, "failed batch")).toMatch(
    /^note: an error in a batch fails the pieces of all clients in it/,
  );
  expect(findingOf(findings, "time")).toMatch(/real-time factor [\d.e-]+ \(p50\), [\d.e-]+ \(max\)$/);
});

describe("faults of a model without state are found", () => {
  for (const [how, check, text] of [
    ["throws", "result", /^FAIL: failed: no idea; the other checks cannot run/],
    ["exits", "result", /^FAIL: worker crashed: .*exit code 7/],
    ["rejects", "result", /^FAIL: worker crashed: .*nobody waits for this/],
    ["nan", "result", /^FAIL: failed: "level" is NaN, which JSON cannot represent/],
    ["reserved", "result", /^FAIL: failed: .*"type", which is reserved by the protocol/],
    ["counts", "deterministic", /^note: no: the same audio gives different results; .*stateful/],
    [
      "batch",
      "batch",
      /^FAIL: piece 0 has another result in a batch: {"samples":0} in a batch of 4, {"samples":2000} alone/,
    ],
    ["short", "1 sample", /^FAIL: failed: at least 400 samples are needed; the last block/],
    ["short", "10 ms", /^FAIL/],
    ["interim", "interim", /^FAIL: with call.final false: failed: finals only/],
  ] as const) {
    test(`${how}: ${check}`, async () => {
      expect(findingOf(await findingsOf(modelPath("misbehaving"), { how }), check)).toMatch(text);
    });
  }

  for (const how of ["hangs", "loops"]) {
    test(`${how}: result`, async () => {
      const findings: Finding[] = [];
      const model = {
        model: modelPath("misbehaving"),
        settings: { how },
        workers: 1,
        startHost: threadHost(workerUrl),
      };
      await checkModel({ ...model, inferenceTimeoutMs: 50, loadTimeoutMs: 10_000 }, (found) => findings.push(found));
      expect(findingOf(findings, "result")).toMatch(/^FAIL: timeout: no result within 50 ms \(inference_timeout_ms\)/);
    });
  }

  test("a model that cannot be loaded has no other finding", async () => {
    const findings = await findingsOf(modelPath("broken"), { how: "throw" });
    expect(findings).toEqual([{ verdict: "FAIL", check: "load", text: expect.stringContaining("no weights") }]);
  });
});

describe("faults of a model with state are found", () => {
  test("none", async () => {
    const findings = await findingsOf(modelPath("misbehaving-stream"), {}, 2);
    expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(findingOf(findings, "result")).toBe('ok: 30 of 30 blocks of speech have a result, the first {"sum":400}');
    expect(findingOf(findings, "finish")).toBe('ok: {"sum":12000}');
  });

  for (const [how, check, text] of [
    ["instance", "two streams", /^FAIL: a second stream changes the results of the first: .*in the state/],
    ["function", "result", /^FAIL: block 0: failed: .*structured clone/],
    ["class", "state", /^ok: can be cloned/],
    [
      "method",
      "result",
      /^FAIL: block 1: failed: .*next is not a function.*; the state is a copy made by structured clone/,
    ],
    [
      "method",
      "state",
      /^FAIL: state.junk is an object of the class Counter; .*cloned between calls, so methods are lost: keep plain data/,
    ],
    ["disposes", "dispose", /^ok: gets the state of a stream that ends without finish/],
    ["disposes badly", "dispose", /^FAIL: failed: nothing to free/],
    ["large", "state", /^note: can be cloned; at most 1\d{5} bytes .*keep it small/],
    ["grows", "state", /^note: .*it grows from \d+ to \d+ bytes/],
    ["blocks", "block size", /^note: the last result depends on stateful.block_ms \(100 and 37 ms differ\)/],
    ["random", "deterministic", /^note: no: the same stream gives different results/],
    ["random", "idempotent", /^FAIL: declared, but a repeated step gives another result/],
  ] as const) {
    test(`${how}: ${check}`, async () => {
      expect(findingOf(await findingsOf(modelPath("misbehaving-stream"), { how }), check)).toMatch(text);
    });
  }
});

test("an object of a class in the state is noted with its path, though the model works", async () => {
  const findings = await findingsOf(modelPath("misbehaving-stream"), { how: "class" });
  expect(failed(findings)).toEqual([]);
  expect(findings).toContainEqual({
    verdict: "note",
    check: "state",
    text: expect.stringMatching(/^state.junk.counter is an object of the class Counter; .*methods are lost/),
  });
});

test("a model without `dispose` has no finding about it, and one that releases states has no repeated step", async () => {
  const without = await findingsOf(modelPath("misbehaving-stream"));
  expect(findingOf(without, "dispose")).toStartWith("nothing");
  expect(findingOf(without, "idempotent")).toStartWith("ok");
  const file = join(tmpdir(), `streamer-check-${crypto.randomUUID()}`);
  try {
    const releases = await findingsOf(modelPath("handles"), { file });
    // The first sample of a clipped signal is an order to throw.
    expect([failed(releases), findingOf(releases, "repeated step")]).toEqual([["clipped"], "nothing: "]);
    // Every state was released once, those of the checks as well.
    const [started, ended] = [/^started/gm, /^(finished|disposed)/gm];
    const text = await readFile(file, "utf8");
    expect(text.match(ended)?.length).toBe(text.match(started)?.length);
  } finally {
    await rm(file, { force: true });
  }
});

test("a native add-on is noted with the advice to isolate it, but not in a process", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer-check-"));
  try {
    await buildAddon(join(folder, "blocking.node"));
    await writeFile(join(folder, "addon.ts"), addonModel(ADDON_IMPORTS.require));
    const findings = await findingsOf(join(folder, "addon.ts"));
    expect(findingOf(findings, "native add-on")).toMatch(/^note: the model loads one: .*; with isolation=process /);
    expect(failed(findings)).toEqual([]);

    const model = join(folder, "addon.ts");
    const hosted = { name: model, isolation: "process", python: "auto", env: {} } as const;
    const startHost = hostFor(hosted, { workerUrl, modelCommand }, () => {});
    const limits = { workers: 1, inferenceTimeoutMs: 60_000, loadTimeoutMs: 60_000 };
    const isolated: Finding[] = [];
    await checkModel({ model, settings: {}, ...limits, startHost }, (found) => isolated.push(found));
    expect([findingOf(isolated, "native add-on"), failed(isolated)]).toEqual(["nothing: ", []]);
  } finally {
    await rm(folder, { recursive: true });
  }
  expect(findingOf(await findingsOf(modelPath("puppet")), "native add-on")).toStartWith("nothing");
});

test("a load that takes long is shown with the workers that are ready, until it ends", async () => {
  const file = join(tmpdir(), `streamer-check-${crypto.randomUUID()}`);
  try {
    const lines: string[] = [];
    const findings: Finding[] = [];
    const limits = { workers: 1, inferenceTimeoutMs: 10_000, loadTimeoutMs: 100_000 };
    const onLoading = (text: string): void => {
      lines.push(text);
      // The model waits for this file.
      void writeFile(file, "");
    };
    await checkModel(
      {
        model: modelPath("broken"),
        settings: { how: "slow", file },
        ...limits,
        startHost: threadHost(workerUrl),
        onLoading,
      },
      (finding) => findings.push(finding),
    );
    expect(lines[0]).toMatch(/^loading: 0 of 1 workers ready, \d+ s$/);
    expect(findingOf(findings, "load")).toStartWith("ok");
  } finally {
    await rm(file, { force: true });
  }
});

test("a recording replaces the synthetic speech, at the model's sample rate", async () => {
  const findings: Finding[] = [];
  const rates: number[] = [];
  await checkModel(
    {
      model: modelPath("misbehaving-stream"),
      settings: {},
      workers: 1,
      startHost: threadHost(workerUrl),
      inferenceTimeoutMs: 10_000,
      speech: (sampleRate) => {
        rates.push(sampleRate);
        return new Float32Array(2 * sampleRate);
      },
    },
    (finding) => findings.push(finding),
  );
  expect(rates).toEqual([4000]);
  expect(findingOf(findings, "finish")).toBe('ok: {"sum":8000}');
});

test("of a recording that begins with silence, the second is checked in which somebody speaks", async () => {
  const findings: Finding[] = [];
  await checkModel(
    {
      model: "levels",
      settings: {},
      workers: 1,
      startHost: threadHost(workerUrl),
      inferenceTimeoutMs: 10_000,
      speech: (sampleRate) => concat(noise(1.7, { rate: sampleRate }), voice(1.1, { rate: sampleRate }), noise(2)),
    },
    (finding) => findings.push(finding),
  );
  // The noise is near -60 dBFS.
  expect(findingOf(findings, "result")).toMatch(/^ok: \{"rms_dbfs":-2\d\..* for one second of speech$/);
  expect(findingOf(findings, "interim")).toMatch(/^ok: \{"rms_dbfs":-2\d\./);
});
