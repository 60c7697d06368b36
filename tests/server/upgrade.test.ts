import { describe, expect, test } from "bun:test";

import { errorEvent } from "../../src/protocol/error-event.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import type { Arrival } from "../../src/server/admission.ts";
import type { Visit } from "../../src/server/edge/edge.ts";
import { connect, refusalOf } from "../../src/server/upgrade.ts";
import { untracedConnection } from "../../src/telemetry/tracing/no-tracing.ts";
import { configure, type Settings } from "../support/in-process-server.ts";
import { lineRoute } from "../support/line-dialect.ts";

const VISIT: Visit = { address: "192.0.2.1", host: undefined, origin: undefined, tls: false, isLocal: false };
const HEADERS = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
};

/** Returns what arrives at the admission from a request of a dialect that has tokens in its query, `?key=`. */
async function arrivalOf(url: string, settings: Settings = {}): Promise<Arrival | undefined> {
  let arrived: Arrival | undefined;
  const request = new Request(url, { headers: HEADERS });
  const response = await connect(
    { request, visit: VISIT, route: lineRoute, path: "/line" },
    {
      config: configure(settings),
      edge: { refusesUse: () => undefined },
      admit: (arrival) => {
        arrived = arrival;
        return new ProtocolError("unauthorized", "nobody is admitted");
      },
      unavailable: () => undefined,
      refusal: () => undefined,
      models: () => [],
      claim: () => new ProtocolError("overloaded", "nobody gets a place"),
      refused: () => undefined,
      address: () => VISIT.address,
      trace: () => untracedConnection(),
      upgrade: () => false,
    },
  );
  expect([response.status, await response.json()]).toEqual([401, { refused: "unauthorized" }]);
  return arrived;
}

describe("a token in the query", () => {
  test("of a dialect that has such does not count by default: URLs get into logs", async () => {
    expect((await arrivalOf("http://localhost/line?key=abc"))?.credentials).toEqual({ token: undefined });
  });

  test("counts with auth.query_tokens", async () => {
    const settings = { "auth.query_tokens": "accept" };
    expect((await arrivalOf("http://localhost/line?key=abc", settings))?.credentials).toEqual({ token: "abc" });
  });
});

test("only an answer with status 401 names the scheme of the credentials", () => {
  const schemeOf = (code: "unauthorized" | "origin_not_allowed") => {
    return refusalOf(new ProtocolError(code, "no"), { refuse: errorEvent }).headers.get("www-authenticate");
  };
  expect([schemeOf("unauthorized"), schemeOf("origin_not_allowed")]).toEqual(["Bearer", null]);
});
