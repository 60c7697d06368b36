import { expect, test } from "bun:test";

import { ConnectionError, ConnectionRefused, StartRefused } from "../../src/client/errors.ts";
import { recover, type RecoveryOptions } from "../../src/client/recovery.ts";

const LOST = new ConnectionError("closed", "the connection was closed (1006)", 1006, "");
const REFUSED = new ConnectionError("cannot_connect", "cannot connect");

function refusal(code: string, retryable: boolean, retry_after_ms?: number): StartRefused {
  const more = retry_after_ms === undefined ? {} : { retry_after_ms };
  return new StartRefused({ type: "error", code, message: "no", fatal: false, retryable, ...more });
}

/** Runs a recovery whose attempts fail with these errors, then succeed. Returns the waits before the attempts. */
async function waits(failures: readonly Error[], options: Partial<RecoveryOptions> = {}): Promise<number[]> {
  const slept: number[] = [];
  let now = 0;
  let attempts = 0;
  await recover(LOST, {
    attempt: () => {
      const failure = failures[attempts++];
      return failure === undefined ? Promise.resolve() : Promise.reject(failure);
    },
    signal: new AbortController().signal,
    limitMs: 60_000,
    random: () => 1,
    now: () => now,
    sleep: (ms) => {
      slept.push(ms);
      now += ms;
      return Promise.resolve();
    },
    ...options,
  });
  return slept;
}

test("attempts are further and further apart, up to five seconds, and each waits at least a quarter of that", async () => {
  const failures = Array.from({ length: 7 }, () => REFUSED);
  expect(await waits(failures)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  expect(await waits([REFUSED, REFUSED], { random: () => 0 })).toEqual([50, 100, 200]);
});

test("a refusal that may pass is waited out as long as the server asks for", async () => {
  expect(await waits([refusal("overloaded", true, 3_000)])).toEqual([200, 3_000]);
});

test("a refusal for good, and the end of the time, end the recovery with the reason", () => {
  expect(waits([refusal("invalid_request", false)])).rejects.toThrow(
    "the connection was closed (1006); the stream could not be resumed: invalid_request: no",
  );
  const failures = Array.from({ length: 99 }, () => REFUSED);
  expect(waits(failures, { limitMs: 10_000 })).rejects.toThrow("no server took it within 10 s");
});

test("closing the client ends the recovery", () => {
  expect(waits([], { signal: AbortSignal.abort() })).rejects.toThrow("could not be resumed");
});

test("a server that refuses the connection for good ends the recovery, one that is full is waited for", async () => {
  const refused = (code: string, retryable: boolean) =>
    new ConnectionRefused("ws://host/", 401, { type: "error", code, message: "no", fatal: true, retryable });
  expect(waits([refused("unauthorized", false)])).rejects.toThrow("refused with HTTP 401, unauthorized: no");
  expect(await waits([refused("overloaded", true)])).toEqual([200, 400]);
});
