import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { checkModel, type Finding } from "../../src/commands/model/checks/check-model.ts";
import { threadHost } from "../../src/pool/thread-host.ts";
import { workerUrl } from "../support/pool-harness.ts";
import { pythonHost, testWithPython } from "../support/python-environment.ts";
import { shownModels } from "../support/python-fences.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Stand-ins for packages whose weights are not available. */
const STAND_INS = join(import.meta.dir, "..", "support", "python");

const shown = await shownModels();
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-shown-"));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

test("the pages about models in Python show models", () => {
  expect(shown.map(({ title }) => title)).toEqual([
    "loudness in README.md",
    "whisper in docs/faster-whisper.md",
    "batched in docs/gpu.md",
    "careful in docs/gpu.md",
    "parakeet in docs/nemo.md",
    "loudness in docs/python.md",
    "seconds in docs/python.md",
    "peaks in docs/python.md",
    "typed in docs/python.md",
    "sherpa-onnx in docs/sherpa-onnx.md",
  ]);
});

// tests/suites/engines/python.test.ts has those that need NumPy.
for (const [index, { title, text }] of shown.filter(({ needsNumPy }) => !needsNumPy).entries()) {
  testWithPython(`model check finds no fault in the model ${title}`, async () => {
    const model = join(folder, `shown_${index}.py`);
    await writeFile(model, text);
    const findings: Finding[] = [];
    const limits = { workers: 2, inferenceTimeoutMs: 60_000, loadTimeoutMs: 60_000 };
    const startHost = pythonHost(model, "python3", { PYTHONPATH: STAND_INS });
    await checkModel({ model, settings: {}, ...limits, startHost }, (found) => findings.push(found));
    expect(findings.filter(({ verdict }) => verdict === "FAIL")).toEqual([]);
    expect(findings.map(({ check }) => check)).toContain("afterwards");
  });
}

test("model check finds no fault in the model of TypeScript in README.md", async () => {
  const readme = await Bun.file(join(import.meta.dir, "..", "..", "README.md")).text();
  const [, text = ""] = /^```ts\n(export default \{[^]*?)^```$/m.exec(readme) ?? [];
  const model = join(folder, "readme.ts");
  await writeFile(model, text);
  const findings: Finding[] = [];
  const limits = { workers: 1, inferenceTimeoutMs: 60_000, loadTimeoutMs: 60_000 };
  const startHost = threadHost(workerUrl);
  await checkModel({ model, settings: {}, ...limits, startHost }, (found) => findings.push(found));
  expect(findings.filter(({ verdict }) => verdict === "FAIL")).toEqual([]);
});
