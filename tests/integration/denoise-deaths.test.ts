import { expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Denoiser } from "../../src/model/built-in/denoise.ts";
import { concat, encode, noise, voice } from "../support/audio.ts";
import { InProcessServer } from "../support/in-process-server.ts";
import { modelPath } from "../support/pool-harness.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

test("the audio of a stateful model is the same, bit for bit, when its worker dies again and again", async () => {
  const folder = await mkdtemp(join(tmpdir(), "streamer-deaths-"));
  try {
    await using server = await InProcessServer.start({
      "models.mortal.name": modelPath("mortal-denoise"),
      "models.mortal.workers": 2,
      "models.mortal.folder": folder,
    });
    const samples = concat(noise(0.5, { level: 0.02 }), voice(3, { seed: 2 }));
    const client = await server.connect({ path: "/api/v1/stateful" });
    client.start({ model: "mortal", format: { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true } });
    await client.sendInChunks(encode("f32", samples), () => 5000);
    client.stop();
    const { channels } = await client.nextEvent("stopped");

    // A worker dies at every tenth of 218 frames.
    expect((await readdir(folder)).length).toBeGreaterThanOrEqual(20);
    expect(channels[0]).toMatchObject({ decoded: samples.length, inferred: samples.length, failed: 0, errors: 0 });
    const model = new Denoiser({ reduction_db: 18, smoothing: 0.98 });
    const [output, state] = model.step(samples, model.start());
    const whole = concat(output?.audio ?? new Float32Array(0), model.finish(state).audio);
    expect(Buffer.concat(client.binaryMessages).equals(Buffer.from(whole.buffer))).toBe(true);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
