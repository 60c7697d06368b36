import { expect, test } from "bun:test";

import { allowRequests } from "../../../src/commands/serve/request-limit.ts";
import { configure } from "../../support/in-process-server.ts";

const remote = (settings: Record<string, string | number> = {}) =>
  configure({ "model.name": "remote", "model.urls": "http://a:8000,http://b:8000", "model.model": "m", ...settings });
const MANY = 100_000;

test("requests of remote models that Bun makes at once, and that there are files for, are allowed", () => {
  allowRequests(configure(), {}, 64);
  allowRequests(remote({ "model.concurrency": 127 }), {}, MANY);
  allowRequests(remote({ "model.concurrency": 512 }), { BUN_CONFIG_MAX_HTTP_REQUESTS: "1026" }, MANY);
});

test("more of them are refused with the limit, since Bun would let them wait without a word", () => {
  expect(() => allowRequests(remote({ "model.concurrency": 128 }), {}, MANY)).toThrow(
    "concurrency: found 258 requests of remote models at once; allowed: 256, or up to 65535 with BUN_CONFIG_MAX_HTTP_REQUESTS",
  );
  const both = remote({
    "model.concurrency": 100,
    "models.other.name": "remote",
    "models.other.urls": "http://c",
    "models.other.model": "m",
    "models.other.workers": 4,
  });
  expect(() => allowRequests(both, {}, MANY)).toThrow("found 270 requests");
  expect(() => allowRequests(remote(), {}, 64 + 18)).toThrow(
    "concurrency: found 34 requests of remote models at once; allowed: 18, by the limit of open files (ulimit -n)",
  );
});
