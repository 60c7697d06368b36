// Traces through an OpenTelemetry Collector with deploy/otel/collector.yml, from `send` to the worker. It is built from
// its sources, in minutes: `STREAMER_CLIENTS=all`.

import { expect, setDefaultTimeout } from "bun:test";
import { join } from "node:path";

import { root } from "../../support/documents.ts";
import { BUILD_MS, sharedExecutable } from "../../support/executable.ts";
import { otelCollector } from "../../support/otel-collector.ts";
import { OtlpReceiver, type ReceivedSpan } from "../../support/otlp.ts";
import { output } from "../../support/output.ts";
import { freePort, replaceEach } from "../../support/proxies.ts";
import { RECORDING } from "../../support/recorded.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS + 120_000);

const isWanted = process.env["STREAMER_CLIENTS"] === "all";
if (!isWanted) reportMissing("the OpenTelemetry Collector: STREAMER_CLIENTS=all builds (0.3 GB) and runs it");
const collector = isWanted ? await otelCollector() : undefined;
const run = testWith(collector);

const CONFIG = join(root, "deploy", "otel", "collector.yml");

run("the collector accepts deploy/otel/collector.yml, and not one with a field that it does not know", async () => {
  expect(await output([collector!, "validate", "--config", CONFIG], root)).toEqual({ code: 0, text: "" });
  const executable = await sharedExecutable();
  const wrong = join(executable.folder, "wrong.yml");
  await Bun.write(wrong, replaceEach(await Bun.file(CONFIG).text(), ["limit_mib: 256", "limit_mb: 256"]));
  const { code, text } = await output([collector!, "validate", "--config", wrong], root);
  expect(code).not.toBe(0);
  expect(text).toContain("limit_mb");
});

run("traces of a stream go through it whole: client, stream, utterance, inference, worker", async () => {
  const executable = await sharedExecutable();
  await using viewer = new OtlpReceiver();
  const [http, grpc, own] = [await freePort(), await freePort(), await freePort()];
  const path = join(executable.folder, "collector.yml");
  const yaml = replaceEach(
    await Bun.file(CONFIG).text(),
    ["0.0.0.0:4317", `127.0.0.1:${grpc}`],
    ["0.0.0.0:4318", `127.0.0.1:${http}`],
    ["port: 8888", `port: ${own}`],
    // The viewer of this test takes HTTP.
    ["  otlp/jaeger:\n    endpoint: jaeger:4317\n", `  otlphttp/jaeger:\n    endpoint: ${viewer.url}\n`],
    ["exporters: [otlp/jaeger]", "exporters: [otlphttp/jaeger]"],
  );
  await Bun.write(path, yaml);
  const child = Bun.spawn([collector!, "--config", path], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  try {
    await waitUntil("the collector", async () => {
      if (child.exitCode !== null) throw new Error(`the collector exited with ${child.exitCode}`);
      const answer = await fetch(`http://127.0.0.1:${http}/v1/traces`, { method: "POST" }).catch(() => undefined);
      return answer !== undefined;
    });
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${http}`, OTEL_BSP_SCHEDULE_DELAY: "100" };
    const server = await executable.serve({ "model.workers": 1, "model.delay": 0 }, [], env);
    const addr = `localhost:${server.port}`;
    const sent = await executable.run(["send", "-i", RECORDING, "--addr", addr], { env });
    expect([sent.code, sent.out]).toEqual([0, expect.stringContaining("7 final results, 0 errors")]);
    server.signal("SIGTERM");
    expect((await server.waitForExit()).code).toBe(0);
    await waitUntil(
      "all spans",
      () => viewer.named("stream segmented").length === 1 && viewer.named("send").length === 1,
    );

    const workers = viewer.named("compute");
    expect(workers).toHaveLength(7);
    const above = ({ parentId }: ReceivedSpan): ReceivedSpan | undefined =>
      viewer.spans.find(({ spanId }) => spanId === parentId);
    for (const compute of workers) {
      const path: string[] = [];
      for (let span: ReceivedSpan | undefined = compute; span !== undefined; span = above(span)) {
        path.push(`${String(span.service)}: ${span.name}`);
      }
      expect(path).toEqual([
        ...["streamer: compute", "streamer: inference", "streamer: utterance", "streamer: stream segmented"],
        "streamer-send: send",
      ]);
      expect(compute.attributes).toMatchObject({ "streamer.worker": 0 });
    }
    expect(new Set(viewer.spans.map(({ traceId }) => traceId)).size).toBe(1);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});
