import { expect } from "bun:test";
import { join } from "node:path";

import { encode, voice } from "../../support/audio.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { output } from "../../support/output.ts";
import { testWith, tool } from "../../support/requirements.ts";
import { ScrapedMetrics } from "../../support/scraped-metrics.ts";

const folder = join(import.meta.dir, "..", "..", "..", "deploy", "prometheus");
const promtool = tool("promtool", "prometheus");
const testPromtool = testWith(promtool);

testPromtool("promtool accepts the rules and the alerts", async () => {
  const { code, text } = await output([promtool!, "check", "rules", "rules.yml", "alerts.yml"], folder);
  expect(text).not.toContain("FAILED");
  expect(code).toBe(0);
});

testPromtool("every alert fires when it should and not before", async () => {
  const { code, text } = await output([promtool!, "test", "rules", "alerts.test.yml"], folder);
  expect(text).toContain("SUCCESS");
  expect(code).toBe(0);
});

testPromtool("promtool accepts the configuration of Prometheus", async () => {
  for (const file of ["prometheus.yml", "prometheus.tls.yml"]) {
    const { code, text } = await output([promtool!, "check", "config", "--syntax-only", file], folder);
    expect([file, code, text]).toEqual([file, 0, expect.stringContaining("SUCCESS")]);
  }
});

testPromtool("promtool accepts the metrics, before and after a load", async () => {
  await using server = await InProcessServer.start();
  const check = async (): Promise<void> => {
    const { text } = await ScrapedMetrics.from(server.url);
    const child = Bun.spawn([promtool!, "check", "metrics"], { stdin: Buffer.from(text), stderr: "pipe" });
    const [code, problems] = await Promise.all([child.exited, child.stderr.text()]);
    expect([code, problems]).toEqual([0, ""]);
  };
  await check();
  using client = await server.connect();
  await client.sendStream(encode("s16", voice(2)), { interim_results: true });
  await check();
});
