import { describe, expect, test } from "bun:test";

import { checkModel, type Finding } from "../../../../src/commands/model/checks/check-model.ts";
import { reportFactors } from "../../../../src/commands/model/checks/pieces.ts";
import { builtInModels } from "../../../../src/model/models.ts";
import { modelPath, workerUrl } from "../../../support/pool-harness.ts";

const QUICK = { delay: 0, constant_factor: 0, jitter: 0 };

async function check(model: string, settings: Record<string, unknown> = {}, workers = 1): Promise<Finding[]> {
  const findings: Finding[] = [];
  const options = { model, settings, workers, workerUrl, inferenceTimeoutMs: 10_000, loadTimeoutMs: 10_000 };
  await checkModel(options, (finding) => findings.push(finding));
  return findings;
}

/** What was found about one thing. */
function about(findings: readonly Finding[], what: string): string {
  const { verdict, words } = findings.find((finding) => finding.what === what) ?? { verdict: "nothing", words: "" };
  return `${verdict}: ${words}`;
}

function failed(findings: readonly Finding[]): string[] {
  return findings.filter(({ verdict }) => verdict === "FAIL").map(({ what }) => what);
}

for (const name of builtInModels) {
  test(`the built-in model ${name} passes`, async () => {
    const findings = await check(name, name === "simulated" ? QUICK : {}, 2);
    expect(failed(findings)).toEqual([]);
    expect(about(findings, "loads")).toMatch(/^ok: and is warm in \d+ ms: ".*", \d+ Hz, with/);
    expect(about(findings, "deterministic")).toMatch(/^ok/);
    expect(about(findings, "afterwards")).toBe("ok: answers as at first");
  });
}

test("a model that does nothing wrong is told how it fares in a batch, and what it could promise", async () => {
  const findings = await check(modelPath("misbehaving"));
  expect(failed(findings)).toEqual([]);
  expect(about(findings, "batch")).toMatch(/^ok: answers are equal; a batch of 4 takes as long as [\d.]+ single calls/);
  expect(about(findings, "idempotent")).toMatch(/^note: not declared, though answers repeat/);
  expect(about(findings, "time")).toMatch(/real-time factor [\d.e-]+ \(p50\), [\d.e-]+ \(max\)$/);
});

describe("what a model without state does wrong is found and named", () => {
  for (const [how, what, words] of [
    ["throws", "answers", /^FAIL: it fails: no idea; the rest cannot be tried/],
    ["exits", "answers", /^FAIL: it takes its worker down: .*exit code 7/],
    ["rejects", "answers", /^FAIL: it takes its worker down: .*nobody waits for this/],
    ["nan", "answers", /^FAIL: it fails: "level" is NaN, which JSON cannot carry/],
    ["reserved", "answers", /^FAIL: it fails: .*"type", a name that the protocol needs/],
    ["counts", "deterministic", /^note: no: the same audio gives different answers; .*stateful/],
    [
      "batch",
      "batch",
      /^FAIL: piece 0 answers differently in company: {"samples":0} in a batch of 4, {"samples":2000}/,
    ],
    ["short", "1 sample", /^FAIL: it fails: at least 400 samples are needed; the last block/],
    ["short", "10 ms", /^FAIL/],
    ["interim", "interim", /^FAIL: with call.final false it fails: finals only/],
  ] as const) {
    test(`${how}: ${what}`, async () => {
      expect(about(await check(modelPath("misbehaving"), { how }), what)).toMatch(words);
    });
  }

  for (const how of ["hangs", "loops"]) {
    test(`${how}: answers`, async () => {
      const findings: Finding[] = [];
      const model = { model: modelPath("misbehaving"), settings: { how }, workers: 1, workerUrl };
      await checkModel({ ...model, inferenceTimeoutMs: 50, loadTimeoutMs: 10_000 }, (found) => findings.push(found));
      expect(about(findings, "answers")).toMatch(/^FAIL: it takes longer than 50 ms \(inference_timeout_ms\)/);
    });
  }

  test("a load that fails is the only finding", async () => {
    const findings = await check(modelPath("broken"), { how: "throw" });
    expect(findings).toEqual([{ verdict: "FAIL", what: "loads", words: expect.stringContaining("no weights") }]);
  });
});

describe("what a model with state does wrong is found and named", () => {
  test("nothing", async () => {
    const findings = await check(modelPath("misbehaving-stream"), {}, 2);
    expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
    expect(about(findings, "answers")).toBe('ok: to 30 of 30 blocks of speech, the first {"sum":400}');
    expect(about(findings, "the end")).toBe('ok: it says {"sum":12000}');
  });

  for (const [how, what, words] of [
    ["instance", "two at once", /^FAIL: a second stream changes the answers of the first: .*in the state/],
    ["function", "answers", /^FAIL: at block 0 it fails: .*structured clone/],
    ["large", "state", /^note: can be cloned; 1\d{5} bytes at most .*keep it small/],
    ["grows", "state", /^note: .*it grows from block to block, from \d+ to \d+ bytes/],
    ["blocks", "block size", /^note: the answer at the end depends on stateful.block_ms \(100 and 37 ms differ\)/],
    ["random", "deterministic", /^note: no: the same stream gives different answers/],
    ["random", "idempotent", /^FAIL: declared, but a step from the same state gives another answer/],
  ] as const) {
    test(`${how}: ${what}`, async () => {
      expect(about(await check(modelPath("misbehaving-stream"), { how }), what)).toMatch(words);
    });
  }
});

test("a recording is taken in place of what is like speech", async () => {
  const findings: Finding[] = [];
  const asked: number[] = [];
  await checkModel(
    {
      model: modelPath("misbehaving-stream"),
      settings: {},
      workers: 1,
      workerUrl,
      inferenceTimeoutMs: 10_000,
      speech: async (sampleRate) => {
        asked.push(sampleRate);
        return new Float32Array(2 * sampleRate);
      },
    },
    (finding) => findings.push(finding),
  );
  expect(asked).toEqual([4000]);
  expect(about(findings, "the end")).toBe('ok: it says {"sum":8000}');
});

test("a model that is slower than speech is noted, not failed", () => {
  const findings: Finding[] = [];
  reportFactors([1.5, 2, 1], 0.1, (verdict, what, words) => findings.push({ verdict, what, words }));
  expect(about(findings, "time")).toStartWith(
    "note: blocks its worker 150 ms for 100 ms of speech: real-time factor 1.5 (p50), 2 (max); slower than speech",
  );
});
