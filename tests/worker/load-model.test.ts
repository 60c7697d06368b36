import { afterAll, expect, spyOn, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { AddonFlag } from "../../src/worker/addon-flag.ts";
import { loadModel } from "../../src/worker/load-model.ts";

const folder = mkdtempSync(join(tmpdir(), "streamer-load-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Loads a model file with these fields whose `load` returns an object with these methods. */
async function load(fields: string, methods: string) {
  const model = join(folder, `${crypto.randomUUID()}.ts`);
  await Bun.write(model, `export default { name: "tried", ${fields} load: () => ({ ${methods} }) };`);
  return await loadModel({ model, settings: {}, spawn: 0, addonFlag: new AddonFlag().buffer });
}

const STREAM = "step: (audio) => ({ length: audio.length }), finish: () => ({})";

test.each([
  ["pinned: true,", "infer: () => ({})", "a pinned model needs a function open(); load() returned none"],
  ["pinned: true,", "", "a pinned model needs a function open(); load() returned none"],
  [
    "pinned: true,",
    "open: () => ({}), step: () => ({})",
    "a pinned model has no step(), which belongs to the streams that open() returns",
  ],
  ["maxBatch: 2,", "open: () => ({})", "a pinned model with maxBatch 2 needs a function stepBatch()"],
  ["", `open: () => ({ ${STREAM} })`, "it has no close()"],
  ["pinned: 1,", "open: () => ({})", "pinned: found 1; allowed: true or false"],
])("a pinned model is refused with what it lacks: %s %s", async (fields, methods, message) => {
  await expect(load(fields, methods)).rejects.toThrow(message);
});

test("a model is pinned if it has `open` and no `infer`, which may have an `open` of its own beside it", async () => {
  const pinned = await load("", `open: () => ({ ${STREAM}, close() {} })`);
  expect(pinned.info).toMatchObject({ pinned: true, stateful: false, warmedByCall: true, maxBatch: 1 });
  const other = await load("", "open: () => 5, infer: () => ({})");
  expect(other.info).toMatchObject({ pinned: false, stateful: false });
});

test("the warm-up of a pinned model is a stream of a second, whose close may fail", async () => {
  const printed = spyOn(console, "error").mockImplementation(() => {});
  try {
    const methods = "step: (audio) => void console.error(audio.length), finish() {}";
    await load("", `open: () => ({ ${methods}, close() { throw new Error("stuck"); } })`);
    expect(printed.mock.calls.flat()).toEqual([16_000, "close() of a stream failed: Error: stuck"]);
  } finally {
    printed.mockRestore();
  }
  await expect(load("", "open: () => { throw new Error('no licence'); }")).rejects.toThrow(
    "the warm-up failed: no licence",
  );
});
