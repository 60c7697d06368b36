import { expect } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import type { Job } from "../../../src/model/job.ts";
import { concat } from "../../support/audio.ts";
import { BUILD_MS, Executable } from "../../support/executable.ts";
import { installedExample } from "../../support/installed-example.ts";
import { type TestPool, testPool } from "../../support/pool-harness.ts";
import { recorded, RECORDING } from "../../support/recorded.ts";
import { testWith } from "../../support/requirements.ts";

const folder = await installedExample("rnnoise");
const path = join(folder ?? "", "model.ts");
const testHere = testWith(folder);

const RATE = 48_000;
const PATIENCE_MS = 60_000;

/** Denoises in blocks of `block` samples. The blocks go to the pools in turn, and the state with them. */
async function denoise(pools: readonly TestPool[], samples: Float32Array, block: number): Promise<Float32Array> {
  const lanes = pools.map((kit) => ({ kit, lane: kit.lane() }));
  const parts: Float32Array[] = [];
  let state: unknown;
  const call = async (turn: number, piece: Float32Array, job: Pick<Job, "step" | "state">): Promise<void> => {
    const { kit, lane } = lanes[turn % lanes.length]!;
    const outcome = await kit.submit(lane, piece, job);
    if (outcome.status !== "ok") throw new Error(JSON.stringify(outcome));
    ({ state } = outcome);
    if (outcome.audio !== undefined) parts.push(outcome.audio.samples);
  };
  let turn = 0;
  for (; turn * block < samples.length; turn++) {
    const piece = samples.slice(turn * block, (turn + 1) * block);
    await call(turn, piece, turn === 0 ? { step: "start" } : { step: "step", state });
  }
  await call(turn, new Float32Array(0), { step: "finish", state });
  for (const { lane } of lanes) lane.close();
  return concat(...parts);
}

/** Level of a span, in dBFS. */
function level(samples: Float32Array, from: number, to: number): number {
  const span = samples.subarray(from * RATE, to * RATE);
  return 10 * Math.log10(span.reduce((sum, sample) => sum + sample * sample, 0) / span.length + 1e-12);
}

testHere(
  "pauses get quieter by 20 dB and more, the voice stays as loud, and the sound has its length and place",
  async () => {
    await using kit = await testPool({ model: path });
    const noisy = (await recorded(0, RATE)).slice(0, 6 * RATE);
    const clean = await denoise([kit], noisy, 4_800);
    expect(clean).toHaveLength(noisy.length);
    // From 0.9 to 3.9 s a clip is read; the words begin a little later.
    expect(level(noisy, 0.2, 0.8)).toBeWithin(-51, -48);
    expect(level(clean, 0.2, 0.8)).toBeLessThan(-70);
    expect(Math.abs(level(clean, 1.3, 3.5) - level(noisy, 1.3, 3.5))).toBeLessThan(2);
    // The delay of the library is taken away: the voice is most like itself at the same place.
    const likeness = (shift: number): number => {
      let sum = 0;
      for (let at = 1.3 * RATE; at < 3.5 * RATE; at++) sum += noisy[at]! * clean[at + shift]!;
      return sum;
    };
    const shifts = Array.from({ length: 41 }, (_, index) => 48 * (index - 20));
    expect(shifts.toSorted((a, b) => likeness(b) - likeness(a))[0]).toBe(0);
  },
  PATIENCE_MS,
);

testHere(
  "the sound is the same at any block size, and when the state moves from worker to worker",
  async () => {
    await using first = await testPool({ model: path });
    await using second = await testPool({ model: path });
    const noisy = (await recorded(1, RATE)).slice(2 * RATE, 3.1 * RATE);
    const whole = await denoise([first], noisy, noisy.length);
    expect(whole).toHaveLength(noisy.length);
    for (const block of [200, 480, 1_117, 24_000]) {
      expect(Buffer.from((await denoise([first, second], noisy, block)).buffer)).toEqual(Buffer.from(whole.buffer));
    }
    for (const length of [1, 479, 480, 481]) {
      expect(await denoise([first], noisy.slice(0, length), 100)).toHaveLength(length);
    }
  },
  PATIENCE_MS,
);

testHere(
  "the executable serves it, and the result is a file with the length of the recording",
  async () => {
    await using executable = await Executable.create();
    const server = await executable.serve({ "model.workers": 2 }, ["--model", path]);
    const addr = `${server.url.replace("http", "ws")}/api/v1/stateful`;
    const output = join(executable.folder, "clean.wav");
    const { code, out } = await executable.run(["send", "-i", RECORDING, "--addr", addr, "--output", output]);
    expect(code, out).toBe(0);
    expect(out).toContain("864,000 samples per channel at 48,000 Hz");
    // Float samples of two channels, behind the header.
    const bytes = await readFile(output);
    const samples = new Float32Array(bytes.buffer.slice(bytes.length - 864_000 * 8));
    expect(
      level(
        samples.filter((_, index) => index % 2 === 0),
        0.2,
        0.8,
      ),
    ).toBeLessThan(-70);
  },
  BUILD_MS + PATIENCE_MS,
);
