import { expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Denoiser } from "../../src/model/built-in/denoise.ts";
import { concat, encode, noise, voice } from "../support/audio.ts";
import { Running } from "../support/in-process.ts";
import { modelPath } from "../support/pool-harness.ts";

test("a stateful model's sound goes on without a seam, bit for bit, when the worker dies in the middle of it again and again", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer-deaths-"));
  try {
    await using server = await Running.start({
      "models.mortal.name": modelPath("mortal-denoise"),
      "models.mortal.workers": 2,
      "models.mortal.folder": folder,
    });
    const samples = concat(noise(0.5, { level: 0.02 }), voice(3, { seed: 2 }));
    const peer = await server.connect({ path: "/api/v1/stateful" });
    peer.start({ model: "mortal", format: { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true } });
    await peer.cut(encode("f32", samples), () => 5000);
    peer.stop();
    const { channels } = await peer.next("stopped");

    // 218 frames, and a death at every tenth.
    expect((await readdir(folder)).length).toBeGreaterThanOrEqual(20);
    expect(channels[0]).toMatchObject({ decoded: samples.length, inferred: samples.length, failed: 0, errors: 0 });
    const model = new Denoiser({ reduction_db: 18, smoothing: 0.98 });
    const [said, state] = model.step(samples, model.start());
    const whole = concat(said?.audio ?? new Float32Array(0), model.finish(state).audio);
    expect(Buffer.concat(peer.binaries).equals(Buffer.from(whole.buffer))).toBe(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
