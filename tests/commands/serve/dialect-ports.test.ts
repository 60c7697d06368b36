import { expect, test } from "bun:test";

import { reserveDialectPorts } from "../../../src/commands/serve/dialect-ports.ts";
import { ListenError } from "../../../src/server/listen-error.ts";
import { configure } from "../../support/in-process-server.ts";
import { freePort } from "../../support/proxies.ts";

test("the ports of dialects are kept for the processes of this server, and free again afterwards", async () => {
  const settings = { "wyoming.port": await freePort(), "vosk.port": await freePort() };
  const reserved = await reserveDialectPorts(configure(settings));
  const handlers = { data() {} };
  for (const port of Object.values(settings)) {
    expect(() => Bun.listen({ hostname: "127.0.0.1", port, socket: handlers })).toThrow();
  }
  reserved[Symbol.dispose]();
  for (const port of Object.values(settings)) {
    Bun.listen({ hostname: "127.0.0.1", port, socket: handlers }).stop(true);
  }
});

test("a port that another server has is named by its setting", async () => {
  const other = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const failure = await reserveDialectPorts(configure({ "wyoming.port": other.port })).catch((error: unknown) => error);
  other.stop(true);
  expect(failure).toBeInstanceOf(ListenError);
  expect(failure).toMatchObject({ section: "wyoming", port: other.port });
});

test("nothing is reserved for ports that are off", async () => {
  using reserved = await reserveDialectPorts(configure());
  expect(reserved).toBeDefined();
});
