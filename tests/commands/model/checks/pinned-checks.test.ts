import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { checkModel, type Finding } from "../../../../src/commands/model/checks/check-model.ts";
import { threadHost } from "../../../../src/pool/thread-host.ts";
import { noise } from "../../../support/audio.ts";
import { modelPath, workerUrl } from "../../../support/pool-harness.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Findings of models by what they do wrong. */
const found = new Map<string, Promise<Finding[]>>();

async function findingsOf(how: string): Promise<Finding[]> {
  if (!found.has(how)) found.set(how, check(how));
  return await found.get(how)!;
}

async function check(how: string, recording?: Float32Array): Promise<Finding[]> {
  const findings: Finding[] = [];
  const limits = { workers: 2, inferenceTimeoutMs: 60_000, loadTimeoutMs: 60_000 };
  const model = { model: modelPath("misbehaving-pinned"), settings: { how }, startHost: threadHost(workerUrl) };
  const speech = recording && { speech: () => recording };
  await checkModel({ ...model, ...limits, ...speech }, (finding) => findings.push(finding));
  return findings;
}

/** Returns the finding of one check, such as "ok: equal". */
function findingOf(findings: readonly Finding[], check: string): string {
  const { verdict, text } = findings.find((finding) => finding.check === check) ?? { verdict: "nothing", text: "" };
  return `${verdict}: ${text}`;
}

test("a pinned model is checked in streams and utterances, and a correct one gets no note", async () => {
  const findings = await findingsOf("");
  expect(findings.filter(({ verdict }) => verdict !== "ok")).toEqual([]);
  expect(findingOf(findings, "load")).toMatch(/^ok: "misbehaving-pinned", 4000 Hz, with pinned streams; loaded/);
  expect(findingOf(findings, "result")).toBe(
    'ok: 30 of 30 steps of speech have a result, the first {"text":"one","total":400}',
  );
  expect(findingOf(findings, "finish")).toBe('ok: {"text":"one","total":12000}');
  expect(findingOf(findings, "interims")).toMatch(
    /^ok: come with the steps: 3 s of speech with 30 of them took [\d.]+ ms/,
  );
  expect(findingOf(findings, "endpoint")).toMatch(/^ok: none in this speech/);
  expect(findingOf(findings, "reset")).toBe("ok: the second utterance of a stream has the results of a new stream");
  expect(findingOf(findings, "two streams")).toBe("ok: 4 at a time do not affect each other");
  expect(findingOf(findings, "step size")).toBe("ok: final results do not depend on it");
  expect(findingOf(findings, "close")).toMatch(/^ok: \d+ streams ended in the middle of an utterance$/);
  expect(findingOf(findings, "30 s")).toBe("ok: 300 steps and finish");
  expect(findingOf(findings, "1 sample")).toBe("ok: 1 step and finish");
});

describe("faults of a pinned model are found", () => {
  for (const [how, check, text] of [
    ["closed", "result", /^FAIL: step 0: failed: no more streams; the other checks cannot run$/],
    ["picky", "step size", /^FAIL: steps of 37 ms: step 0: failed: blocks of 100 ms only$/],
    ["picky", "10 ms", /^FAIL: step 0: failed: blocks of 100 ms only; the last block of a stream is often short$/],
    ["remembers", "reset", /^FAIL: the second utterance .* than in a new stream: reset\(\) leaves some of the first$/],
    ["resetless", "reset", /^ok: none: after an utterance the stream is closed, and the next one opens another$/],
    ["shares", "deterministic", /^note: no: .*keep the data of a stream in the object that open\(\) returns/],
    ["leaks", "close", /^note: \d+ streams .*each left [\d.]+ MiB of memory: close\(\) must release/],
    ["slower", "30 s", /^note: 300 steps and finish; its steps get slower, from .*: does each step decode the whole/],
    ["ends", "endpoint", /^ok: the model ends an utterance after 0.5 s; 6 in all$/],
    ["silent", "words", /^note: none, because the synthetic signal is no speech, .* with --input FILE, a WAV file/],
    ["mute", "words", /^note: the model has no result for the synthetic signal, .* with --input FILE, a WAV file/],
    ["late words", "word times", /^note: words\[0\] ends at 60 s, but the audio has 3 s; by convention /],
    [
      "odd words",
      "word times",
      /^note: words\[0\]\.word is no string; by convention "words" is a list of {word, start,/,
    ],
  ] as const) {
    test(`${how}: ${check}`, async () => {
      expect(findingOf(await findingsOf(how), check)).toMatch(text);
    });
  }
});

test("streams that change each other are found, though each alone gives the same results", async () => {
  expect(findingOf(await findingsOf("counts open"), "two streams")).toMatch(
    /^FAIL: other streams change the results of one: keep the data of a stream in the object that open\(\) returns/,
  );
});

test("with a recording the words are printed, and nothing asks for one", async () => {
  const recording = noise(2, { level: 0.1 });
  const findings = await check("", recording);
  expect(findingOf(findings, "words")).toBe('ok: "one"');
  expect(findingOf(await check("silent", recording), "words")).toBe("note: none in this recording");
  expect(findingOf(await check("mute", recording), "words")).toBe("note: the model has no result in this recording");
});
