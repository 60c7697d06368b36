import { expect, test } from "bun:test";

import { routeWarnings } from "../../src/server/route-warnings.ts";
import { configure } from "../support/in-process-server.ts";

test("the routes that are public by default exist", () => {
  expect(routeWarnings(configure())).toEqual([]);
});

test("a path in the configuration that is no route gives a warning with the nearest one", () => {
  const settings = { "auth.public_routes": "/metrics,/metric,/api/v1/simple,/none", "server.admin": "unix:a" };
  expect(routeWarnings(configure({ ...settings, "server.admin_only": "/api/v1/info,/api/v1/simple" }))).toEqual([
    "auth.public_routes: found /metric, which is no such route; did you mean /metrics?",
    expect.stringMatching(/^auth\.public_routes: found \/none, which is no such route; allowed: \/, /),
    expect.stringMatching(/^server\.admin_only: found \/api\/v1\/simple, which is no such route; allowed: \/, /),
  ]);
});
