import { afterAll, describe, expect, setDefaultTimeout } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { encode, freshSeed, seeded, speech } from "../support/audio.ts";
import { Executable, type ServeProcess } from "../support/executable.ts";
import { chunkInvariantEvents, expectExactLedger } from "../support/ledgers.ts";
import { python, pythonModel } from "../support/python.ts";
import { testWith } from "../support/requirements.ts";
import { waitUntil } from "../support/wait.ts";
import { FORMAT } from "../support/wire.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

/** Pinned models in Python, with the executable alone. */

const testHere = testWith(python);
const executable = await Executable.create();
afterAll(() => executable[Symbol.asyncDispose]());

const FLOATS = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
/** A sample that ends the process of the model `spoken`. */
const EXIT = 2;

async function serve(name: string, settings: Record<string, string | number> = {}): Promise<ServeProcess> {
  const keys = { "model.python": python!, "model.workers": 1, ...settings };
  return await executable.serve(keys, ["--model", pythonModel(name)]);
}

describe("a pinned model in Python", () => {
  const seed = freshSeed();
  for (const pattern of ["segmented", "stateful"] as const) {
    testHere(
      `gives the same finals and the same ledger for any cut and pace of /${pattern} (seed ${seed})`,
      async () => {
        await using server = await serve("spoken", { "model.workers": 2 });
        const random = seeded(seed);
        const bytes = encode("s16", speech([0.6, 0.8, 0.4]));
        const played = async (size: () => number, pause: () => number): Promise<unknown[]> => {
          using client = await server.connect({ path: `/api/v1/${pattern}` });
          client.start({ format: FORMAT });
          for (let at = 0; at < bytes.length;) {
            const end = Math.min(bytes.length, at + size());
            await client.sendAudio(bytes.subarray(at, end));
            at = end;
            if (pause() > 0.8) await Bun.sleep(10 * pause());
          }
          client.stop();
          await client.nextEvent("stopped");
          expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
          expect(client.eventsOf("error")).toEqual([]);
          expect(client.eventsOf("warning")).toEqual([]);
          return chunkInvariantEvents(client.events);
        };
        const whole = await played(
          () => bytes.length,
          () => 0,
        );
        expect(JSON.stringify(whole)).toContain(`"samples"`);
        const sizes = [() => 1 + Math.floor(random() * 40_000), () => 1 + Math.floor(random() * 999), () => 3201];
        for (const size of sizes) expect(await played(size, random)).toEqual(whole);
      },
    );
  }

  testHere(
    "is given each sample of an utterance once, in steps of model.step_ms, also with interim results",
    async () => {
      await using server = await serve("spoken", { "model.step_ms": 50 });
      using client = await server.connect({ path: "/api/v1/segmented" });
      const bytes = encode("s16", speech([2.1, 0.8]));
      await client.sendStream(bytes, { format: FORMAT, interim_results: true, interim_interval_ms: 500 });
      expectExactLedger(client.events, { bytes: bytes.length, frameBytes: 2 });
      const segments = client.eventsOf("segment").map((event) => event as unknown as Spoken);
      const finals = segments.filter(({ is_final }) => is_final);
      expect(finals.map(({ utterance }) => utterance)).toEqual([0, 1]);
      for (const { steps, samples, words, start_time, end_time } of finals) {
        expect(samples).toBe(Math.round(16_000 * (end_time - start_time)));
        expect(new Set(steps.slice(0, -1))).toEqual(new Set([800]));
        expect(words).toEqual([{ word: "all", start: start_time, end: end_time }]);
      }
      const interims = segments.filter(({ is_final }) => !is_final);
      expect(interims.length).toBeGreaterThanOrEqual(4);
      for (const { samples, start_time, end_time } of interims) {
        expect(samples).toBe(Math.round(16_000 * (end_time - start_time)));
      }
    },
  );

  testHere("loses the block by which its process ends; the stream goes on, in another process", async () => {
    await using server = await serve("spoken", { "stateful.block_ms": 100 });
    using client = await server.connect({ path: "/api/v1/stateful" });
    const samples = new Float32Array(8000).fill(0.1);
    samples[1700] = EXIT;
    await client.sendStream(new Uint8Array(samples.buffer), { format: FLOATS });
    expectExactLedger(client.events, { bytes: 32_000, frameBytes: 4 });
    expect(client.eventsOf("error")).toMatchObject([{ code: "worker_crashed", start_time: 0.1, end_time: 0.2 }]);
    expect(client.eventsOf("warning").map(({ code }) => code)).toEqual(["out_of_range", "state_lost"]);
    const counts = (client.eventsOf("segment") as readonly unknown[] as readonly Spoken[]).map(
      ({ samples }) => samples,
    );
    expect(counts).toEqual([1600, 1600, 3200, 4800]);
    expect(client.eventsOf("data")).toMatchObject([{ samples: 4800 }]);
  });

  testHere("closes the stream of a client that disconnects, and the model when the server ends", async () => {
    const file = join(executable.folder, "events");
    writeFileSync(file, "");
    const server = await serve("pinned", { "model.file": file });
    const lines = (): string[] => readFileSync(file, "utf8").trim().split("\n");
    const client = await server.connect({ path: "/api/v1/stateful" });
    client.start({ format: FLOATS });
    await client.sendAudio(new Uint8Array(new Float32Array(16_000).buffer));
    await client.nextEvent("segment");
    client[Symbol.dispose]();
    await waitUntil("the stream is closed", () => lines().includes("closed 0.0"));
    server.signal("SIGTERM");
    await server.waitForExit();
    expect(lines()).toEqual(["opened 0.0", "closed 0.0", "ended 0"]);
  });

  testHere("is refused on /simple, with the patterns that take it", async () => {
    await using server = await serve("spoken");
    using client = await server.connect({ path: "/api/v1/simple" });
    client.start({ format: FORMAT });
    const { message } = await client.nextEvent("error");
    expect(message).toMatch(/found "spoken", which is pinned.*stateful or \/?segmented/);
  });
});

/** Fields of the results of `spoken`. */
interface Spoken {
  readonly is_final: boolean;
  readonly start_time: number;
  readonly end_time: number;
  readonly samples: number;
  readonly utterance: number | null;
  readonly steps: readonly number[];
  readonly words: readonly object[];
}
