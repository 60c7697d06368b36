import { expect, setDefaultTimeout, test } from "bun:test";

import type { Access } from "../../../src/auth/access.ts";
import { openAdmin } from "../../../src/commands/serve/open-admin.ts";
import { openLog } from "../../../src/telemetry/log/log.ts";
import { configure } from "../../support/in-process-server.ts";

setDefaultTimeout(300_000);

test("pages and names that may use the port for clients may not use a loopback server.admin, which needs no token", async () => {
  let reloads = 0;
  const config = configure({ "server.admin": "127.0.0.1:0", "server.allowed_origins": "*", "server.hosts": "*" });
  const host = {
    version: "1.2.3",
    unready: () => undefined,
    metrics: async () => ({ contentType: "text/plain", body: "metrics\n" }),
    describe: () => ({}),
    reload: async () => (reloads++, []),
  };
  const log = openLog({ level: "error", write: () => undefined });
  await using admin = await openAdmin(config, host, {} as Access, log);
  const request = async (method: string, path: string, headers: Record<string, string>) => {
    return await fetch(`${admin!.url}${path}`, { method, headers });
  };
  const reload = async (headers: Record<string, string>) => {
    return (await request("POST", "/api/v1/reload", headers)).status;
  };
  const Origin = "https://evil.example";
  expect([await reload({ Origin }), await reload({ Host: "evil.example" }), reloads]).toEqual([403, 403, 0]);
  const read = await request("GET", "/metrics", { Origin });
  expect([read.status, read.headers.get("access-control-allow-origin")]).toEqual([200, null]);
  expect((await request("GET", "/metrics", { Host: "evil.example" })).status).toBe(403);
  // Programs of operators.
  expect([await reload({}), reloads]).toEqual([200, 1]);
});
