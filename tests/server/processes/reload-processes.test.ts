import { expect, test } from "bun:test";

import { loadConfig } from "../../../src/config/config.ts";
import type { ProcessReload } from "../../../src/server/processes/messages.ts";
import { reloadProcesses } from "../../../src/server/processes/reload-processes.ts";
import type { ServerChild } from "../../../src/server/processes/server-child.ts";

const { config } = loadConfig({});
const LOADED: ProcessReload = { results: [{ model: "m", result: "loaded", generation: 2, earlier: [] }] };
const REFUSED: ProcessReload = { refused: { code: "not_ready", message: "the server is shutting down" } };

/** Processes that answer so. */
function processes(...answers: (ProcessReload | undefined)[]): () => ServerChild[] {
  const children = answers.map((answer, index) => ({
    number: index + 1,
    state: "ready",
    ask: async () => await Promise.resolve(answer),
  }));
  return () => children as unknown as ServerChild[];
}

test("what a process has loaded is reported, also when a later one refuses", async () => {
  expect(await reloadProcesses(processes(LOADED, REFUSED, LOADED), config, "m")).toMatchObject([
    { process: 1, result: "loaded", generation: 2 },
    { process: 2, result: "failed", reason: "the server is shutting down" },
  ]);
});

test("a refusal of the first process is that of the reload", async () => {
  await expect(reloadProcesses(processes(REFUSED, LOADED), config, "m")).rejects.toThrow("the server is shutting down");
});

test("a process that does not answer is a failure, after which the others keep what they have", async () => {
  expect(await reloadProcesses(processes(LOADED, undefined, LOADED), config, undefined)).toMatchObject([
    { process: 1, result: "loaded" },
    { process: 2, result: "failed", reason: expect.stringContaining("has not answered within") },
  ]);
});
