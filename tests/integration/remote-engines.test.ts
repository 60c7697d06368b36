import { expect, setDefaultTimeout, test } from "bun:test";

import { encode, speech } from "../support/audio.ts";
import type { FakeEngine } from "../support/engines/fake-engine.ts";
import { FORMAT, RECOVERY, serve, startEngines } from "../support/engines/remote-server.ts";
import { sendStream, testStreamsUnderEngineFaults, waitUntilWell } from "../support/engines/streams-under-faults.ts";
import { expectExactLedger } from "../support/ledgers.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

testStreamsUnderEngineFaults(1, 9);

test("a server starts before its engine: it is ready, refuses streams with the reason, and serves when the engine is there", async () => {
  const [engine] = await startEngines(1);
  await engine!.kill();
  await using server = await serve([engine!], { ...RECOVERY, "models.levels.name": "levels" });
  expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
  const refused = await server.connect();
  refused.start({ format: FORMAT });
  expect(await refused.nextEvent("error")).toMatchObject({
    code: "model_unavailable",
    message: expect.stringContaining("no inference server is available (it is out of service: nothing listens there)"),
  });
  refused.reset();
  const other = await server.connect();
  other.start({ format: FORMAT, model: "levels" });
  await other.nextEvent("started");
  other.stop({ disconnect: true });
  await engine!.listen();
  await waitUntilWell(server);
});

test("a stream goes on when its engine is restarted: the spans in between are errors, those after are results", async () => {
  const [engine] = await startEngines(1);
  await using server = await serve([engine!], RECOVERY);
  const block = encode("s16", speech([0.1], { rate: 16_000, seed: 3 })).subarray(0, 3_200);
  const client = await server.connect({ path: "/api/v1/simple" });
  client.start({ format: FORMAT });
  await client.sendAudio(block);
  await client.nextEvent("segment");
  await engine!.kill();
  await client.sendAudio(block);
  expect((await client.nextEvent("error")).code).toBe("model_unavailable");
  await engine!.listen();
  await waitUntilWell(server);
  await client.sendAudio(block);
  await client.nextEvent("segment");
  client.stop({ disconnect: true });
  await client.waitForClose();
  expectExactLedger(client.events, { bytes: 9_600, frameBytes: 2 });
});

test("the metrics of a remote model have its requests by endpoint and result, and its endpoints by state", async () => {
  const [a, b] = await startEngines(2);
  await using server = await serve([a!, b!]);
  await sendStream(server, "simple", 1);
  await b!.kill();
  await sendStream(server, "simple", 1);
  const endpoint = (engine: FakeEngine) => `127.0.0.1:${engine.port}`;
  await waitUntil("the metrics of the model", async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const has = (name: string, labels: string) => text.includes(`streamer_model_${name}{model="remote",${labels}}`);
    return (
      has("engine_requests_total", `endpoint="${endpoint(a!)}",result="ok"`) &&
      has("engine_requests_total", `endpoint="${endpoint(b!)}",result="refused"`) &&
      has("engine_retries_total", `reason="refused"`) &&
      has("engine_outstanding", `endpoint="${endpoint(a!)}"`) &&
      has("engine_endpoints", `endpoint="${endpoint(a!)}",state="closed"`)
    );
  });
});
