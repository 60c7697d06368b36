import { describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { loadConfig } from "../../src/config/config.ts";
import { DIALECT_NAMES, modelAliases } from "../../src/config/dialect-settings.ts";
import { ROUTES } from "../../src/dialects/dialects.ts";
import { GRPC_METHODS } from "../../src/dialects/grpc-methods.ts";
import { GRPC } from "../../src/dialects/grpc/open.ts";

const set = (...sets: readonly string[]) => loadConfig({ sets }).config.dialects;

/** Returns the settings of dialects from a file with this content. */
async function inFile(dialects: object) {
  const folder = await mkdtemp(join(tmpdir(), "streamer-dialects-"));
  try {
    const file = join(folder, "config.json");
    await writeFile(file, JSON.stringify({ dialects }));
    return loadConfig({ file }).config.dialects;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test("every dialect can be named, and is on by default", () => {
  const spoken = new Set([...ROUTES, ...GRPC_METHODS].map(({ dialect }) => dialect));
  spoken.delete(GRPC);
  expect(DIALECT_NAMES.toSorted()).toEqual([...spoken].sort() as never);
  expect(set().enabled).toEqual([...DIALECT_NAMES]);
  expect(set("dialects.enabled=Deepgram").enabled).toEqual(["deepgram"]);
  expect(() => set("dialects.enabled=deepgrm")).toThrow(
    `dialects.enabled: found "deepgrm"; allowed: a list of at most 1000 names of dialects: ${DIALECT_NAMES.join(", ")} (--set)`,
  );
});

describe("a switch", () => {
  test("is on or off, or true or false, in a file and on the command line", async () => {
    expect([set("dialects.extras=true").extras, set("dialects.extras=OFF").extras]).toEqual(["on", "off"]);
    const [first, second] = [await inFile({ extras: true, strict_models: "on" }), await inFile({ extras: false })];
    expect([first.extras, first.strict_models, second.extras]).toEqual(["on", "on", "off"]);
  });

  test("is nothing else, and a text is not one", async () => {
    await expect(inFile({ extras: 1 })).rejects.toThrow("dialects.extras: found 1; allowed: one of on, off");
    await expect(inFile({ untexted: true })).rejects.toThrow(
      "dialects.untexted: found true; allowed: one of fields, empty",
    );
  });
});

test("names of models are pairs", () => {
  expect([...modelAliases(["nova-3=whisper", "a = b", "gpt-4o-transcribe=x=y"])]).toEqual([
    ["nova-3", "whisper"],
    ["a", "b"],
  ]);
  expect(() => set("dialects.models=nova-3")).toThrow(
    'dialects.models: found "nova-3"; allowed: a list of at most 1000',
  );
});
