import { expect, spyOn, test } from "bun:test";

import { recorded } from "../../../src/dialects/deepgram/files/route.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";
import { Uploads } from "../../../src/server/uploads/uploads.ts";
import { newSessionId, Sessions } from "../../../src/session/sessions.ts";
import { FaultLog } from "../../../src/telemetry/log/fault-log.ts";
import { untracedConnection } from "../../../src/telemetry/tracing/no-tracing.ts";
import { SessionHarness } from "../../support/session-harness.ts";
import { waitUntil } from "../../support/wait.ts";

/** Uploads without a network, and a request for one. */
class Desk implements Disposable {
  readonly harness = new SessionHarness();
  readonly sessions = new Sessions(this.harness.services);
  readonly uploads = new Uploads({
    sessions: this.sessions,
    limits: this.harness.services.config.limits,
    faults: new FaultLog({ error: () => undefined }),
    clock: () => 0,
    handled: () => undefined,
  });

  upload(signal?: AbortSignal): Promise<Response> | ProtocolError {
    const url = "http://localhost/v1/listen?encoding=linear16&sample_rate=16000";
    const request = new Request(url, { method: "POST", body: new Uint8Array(3_200), ...(signal && { signal }) });
    const opened = recorded.open(request, this.harness.services.config, [...this.harness.services.models.values()]);
    const caller = { id: "caller", address: "", limits: { maxSessions: 2 } };
    const place = this.sessions.claim(caller, opened);
    if (place instanceof ProtocolError) return place;
    const accepted = { id: newSessionId(), caller, place, opened, trace: untracedConnection() };
    return this.uploads.open({ request, accepted, opened, line: () => undefined });
  }

  [Symbol.dispose](): void {
    this.harness[Symbol.dispose]();
  }
}

test("an upload whose session cannot be opened is not open, and keeps no memory", () => {
  using desk = new Desk();
  using _ = spyOn(desk.sessions, "open").mockImplementation(() => {
    throw new Error("a fault");
  });
  expect(() => desk.upload()).toThrow("a fault");
  expect(desk.uploads.size).toBe(0);
});

test("an upload of a client that has left while it was admitted ends at once", async () => {
  using desk = new Desk();
  const answer = desk.upload(AbortSignal.abort());
  expect(answer instanceof ProtocolError ? answer : (await answer).status).toBe(499);
  await waitUntil("its end", () => desk.uploads.size === 0 && desk.sessions.size === 0);
  expect(desk.harness.pendingJobs).toEqual([]);
});
