import { describe, expect, setDefaultTimeout } from "bun:test";
import { join } from "node:path";

import { BUILD_MS, sharedExecutable } from "../../support/executable.ts";
import { documented, documentedLine, PROGRAMS, replaceEach, ReverseProxy } from "../../support/proxies.ts";
import { testWith } from "../../support/requirements.ts";
import { ScrapedMetrics } from "../../support/scraped-metrics.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(BUILD_MS + 120_000);

const executable = await sharedExecutable();
const httpCheck = "  option httpchk GET /api/v1/ready\n";

describe.each([
  ["HTTP/1.0 without a Host header", (configuration: string) => configuration],
  [
    "HTTP/1.1",
    (configuration: string) =>
      replaceEach(configuration, [httpCheck, `  option httpchk\n  ${documentedLine("http-check")}\n`]),
  ],
])("checks of HAProxy over %s", (_, change) => {
  testWith(PROGRAMS.haproxy)("pass while a server is ready, and fail while it shuts down", async () => {
    const gate = join(executable.folder, `gate-${crypto.randomUUID()}`);
    const model = join(import.meta.dir, "..", "..", "support", "models", "gated.ts");
    const limits = { "model.inference_timeout_ms": 600_000, "limits.drain_timeout_ms": 600_000 };
    await using one = await executable.serve({
      "model.name": model,
      "model.gate": gate,
      "model.workers": 1,
      ...limits,
    });
    await using two = await executable.serve({ "model.workers": 1 });
    await using proxy = await ReverseProxy.start("haproxy", change(documented("haproxy", [one.port, two.port])));
    const states = async (expected: Record<string, string>): Promise<void> => {
      let found = {};
      const reached = async (): Promise<boolean> => Bun.deepEquals((found = await proxy.serverStates()), expected);
      await waitUntil(`the states ${JSON.stringify(expected)}`, reached).catch(() => expect(found).toEqual(expected));
    };
    await states({ one: "UP L7OK 200", two: "UP L7OK 200" });

    using client = await one.connect({ path: "/api/v1/simple" });
    client.start();
    await client.sendAudio(new Uint8Array(16_000));
    await waitUntil("a call of the model", async () => {
      return (await ScrapedMetrics.from(one.url)).value("streamer_workers", { state: "busy" }) === 1;
    });
    one.signal("SIGTERM");
    await states({ one: "DOWN L7STS 503", two: "UP L7OK 200" });
    expect((await fetch(`${proxy.url}/api/v1/ready`)).status).toBe(200);

    client.stop();
    await Bun.write(gate, "");
    expect(await one.waitForExit()).toEqual({ code: 0, signal: null });
    await states({ one: "DOWN L4CON", two: "UP L7OK 200" });
  });
});
