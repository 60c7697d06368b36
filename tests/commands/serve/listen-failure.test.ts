import { expect, test } from "bun:test";

import { listenFailure } from "../../../src/commands/serve/listen-failure.ts";
import { ListenError } from "../../../src/server/listen-error.ts";
import { configure } from "../../support/in-process-server.ts";

const { server } = configure();
const place = { section: "wyoming", host: "127.0.0.1", port: 10_300 };

test("a port of a dialect that cannot be listened on is named, and not server.port", () => {
  const used = Object.assign(new Error("in use"), { code: "EADDRINUSE" });
  expect(listenFailure(server, new ListenError(place, used))).toBe(
    "wyoming.port: found 10300, which is in use; allowed: a free port, or 0 for none",
  );
  expect(listenFailure(server, new ListenError(place, new Error("no such address")))).toBe(
    "cannot listen on 127.0.0.1:10300 (wyoming.port): no such address",
  );
});
