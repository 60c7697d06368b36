import { expect, spyOn, test } from "bun:test";

import { recorded } from "../../../src/dialects/deepgram/files/route.ts";
import type { OpenedUpload } from "../../../src/dialects/files/file-route.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";
import { Uploads } from "../../../src/server/uploads/uploads.ts";
import { newSessionId, Sessions } from "../../../src/session/sessions.ts";
import { FaultLog } from "../../../src/telemetry/log/fault-log.ts";
import { untracedConnection } from "../../../src/telemetry/tracing/no-tracing.ts";
import type { Settings } from "../../support/in-process-server.ts";
import { SessionHarness } from "../../support/session-harness.ts";
import { waitUntil } from "../../support/wait.ts";

/** Uploads without a network, and a request for one. */
class Desk implements Disposable {
  readonly harness: SessionHarness;
  readonly sessions: Sessions;
  readonly uploads: Uploads;

  constructor(settings?: Settings) {
    this.harness = new SessionHarness(settings);
    this.sessions = new Sessions(this.harness.services);
    this.uploads = new Uploads({
      sessions: this.sessions,
      limits: this.harness.services.config.limits,
      faults: new FaultLog({ error: () => undefined }),
      clock: () => 0,
      handled: () => undefined,
    });
  }

  upload(signal?: AbortSignal): Promise<Response> | ProtocolError {
    const request = requestWith(new Uint8Array(3_200), signal);
    return this.#open(request, this.#opened(request), "caller");
  }

  /** Begins an upload without an end or a length, of which the whole file may be kept. */
  keep(maxBytes: number, caller: string): Promise<Response> | ProtocolError {
    const request = requestWith(new ReadableStream());
    return this.#open(request, { ...this.#opened(request), keepsFile: true, maxBytes }, caller);
  }

  #opened(request: Request): OpenedUpload {
    return recorded.open(request, this.harness.services.config, [...this.harness.services.models.values()]);
  }

  #open(request: Request, opened: OpenedUpload, id: string): Promise<Response> | ProtocolError {
    const caller = { id, address: "", limits: { maxSessions: 0, isExempt: id === "local" } };
    const place = this.sessions.claim(caller, opened);
    if (place instanceof ProtocolError) return place;
    const accepted = { id: newSessionId(), caller, place, opened, trace: untracedConnection() };
    return this.uploads.open({ request, accepted, opened, line: () => undefined });
  }

  [Symbol.dispose](): void {
    this.harness[Symbol.dispose]();
  }
}

function requestWith(body: RequestInit["body"], signal?: AbortSignal): Request {
  const url = "http://localhost/v1/listen?encoding=linear16&sample_rate=16000";
  return new Request(url, { method: "POST", body: body ?? null, ...(signal && { signal }) });
}

test("a caller gets one upload or half of what others leave, so that there is room for others", () => {
  using desk = new Desk({ "limits.inbox_total_mb": 16 });
  const MIB = 1024 * 1024;
  const codesOf = (...sizes: [string, number][]) =>
    sizes.map(([caller, mib]) => {
      const answer = desk.keep(mib * MIB, caller);
      return answer instanceof ProtocolError ? answer.code : "open";
    });
  expect(codesOf(["one", 4], ["one", 4], ["one", 1])).toEqual(["open", "open", "too_many_sessions"]);
  // 8 MiB are left: half of them for one caller, but any first upload that fits.
  expect(codesOf(["two", 3], ["two", 1], ["two", 1])).toEqual(["open", "open", "too_many_sessions"]);
  expect(codesOf(["three", 4], ["four", 1])).toEqual(["open", "overloaded"]);
  using other = new Desk({ "limits.inbox_total_mb": 16 });
  expect(Array.from({ length: 5 }, () => other.keep(4 * MIB, "local") instanceof Promise)).toEqual([
    ...[true, true, true, true],
    false,
  ]);
});

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
