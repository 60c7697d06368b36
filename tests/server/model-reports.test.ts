import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { InProcessServer } from "../support/in-process-server.ts";
import { REPORTS } from "../support/models/reporting.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const path = join(import.meta.dir, "../support/models/reporting.ts");
const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };

function block(order: number): Uint8Array {
  const samples = new Float32Array(16_000);
  samples[0] = order;
  return new Uint8Array(samples.buffer);
}

test("a model that reports that it cannot serve refuses starts with its reason; the server stays ready and others go on", async () => {
  const settings = { "model.name": path, "models.other.name": "simulated", "models.other.workers": 1 };
  await using server = await InProcessServer.start({ ...settings, "simple.block_ms": 1000 });
  const shown = async (): Promise<unknown> =>
    (await server.info()).models.map((model) => (model as { unavailable?: string }).unavailable);
  const client = await server.connect({ path: "/api/v1/simple" });
  client.start({ format: FORMAT });
  await client.sendAudio(block(REPORTS.outage));
  await waitUntil("the reason is shown", async () => ((await shown()) as unknown[])[0] !== undefined);
  expect(await shown()).toEqual(["no engine answers", undefined]);
  expect((await server.fetch("/api/v1/ready")).status).toBe(200);

  const refused = await server.connect({ path: "/api/v1/simple" });
  refused.start({ format: FORMAT });
  expect(await refused.nextEvent("error")).toMatchObject({
    code: "model_unavailable",
    retryable: true,
    param: "model",
    message: 'model "reporting": no engine answers',
  });
  const other = await server.connect({ path: "/api/v1/simple" });
  other.start({ format: FORMAT, model: "other" });
  await other.nextEvent("started");

  // The stream that was open goes on.
  await client.sendAudio(block(REPORTS.recovery));
  await waitUntil("the reason is gone", async () => ((await shown()) as unknown[])[0] === undefined);
  const again = await server.connect({ path: "/api/v1/simple" });
  again.start({ format: FORMAT });
  await again.nextEvent("started");
  expect(server.logged("model_cannot_serve")).toMatchObject([{ model: "reporting", reason: "no engine answers" }]);
  expect(server.logged("model_serves_again")).toMatchObject([{ model: "reporting" }]);
  const metrics = await server.metrics();
  expect(metrics.value("streamer_model_ready", { model: "reporting" })).toBe(1);
});
