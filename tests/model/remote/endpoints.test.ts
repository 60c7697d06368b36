import { describe, expect, test } from "bun:test";

import type { Endpoint } from "../../../src/model/remote/endpoint.ts";
import { Endpoints } from "../../../src/model/remote/endpoints.ts";
import { type EngineAddress, EngineError } from "../../../src/model/remote/transport.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const [A, B] = ["http://a:8000", "http://b:8000"];
const refused = new EngineError("refused", "nothing listens there");
const timeout = new EngineError("timeout", "no answer in time");

/** Endpoints whose engines do as the test says: those in `down` fail checks and probes with this error. */
function engines(urls: readonly string[], { healthMs = 0, draws = [] as number[] } = {}) {
  const clock = new ManualClock();
  const down = new Map<string, EngineError>();
  const reasons: (string | undefined)[] = [];
  const tried: string[] = [];
  const attempt = (kind: string) => (address: EngineAddress) => {
    tried.push(`${clock.now()} ${kind} ${address.url}`);
    const error = down.get(address.url);
    return error === undefined ? Promise.resolve() : Promise.reject(error);
  };
  const endpoints = new Endpoints({
    breaker: { failures: 3, openMs: 1_000 },
    healthMs,
    check: attempt("check"),
    probe: attempt("probe"),
    onAvailability: (reason) => reasons.push(reason),
    log: () => {},
    clock,
    random: () => draws.shift() ?? 0,
  });
  const update = (list: readonly string[]) => endpoints.update(list.map((url) => ({ url, label: new URL(url).host })));
  update(urls);
  const at = (url: string): Endpoint => [...endpoints.all].find(({ address }) => address.url === url)!;
  return {
    clock,
    down,
    endpoints,
    reasons,
    tried,
    update,
    at,
    fail: (url: string, error = refused) => endpoints.failed(at(url), at(url).begin(), error),
    /** Advances the time in steps, so that checks can end in between. */
    async advance(milliseconds: number): Promise<void> {
      for (let passed = 0; passed < milliseconds; passed += 500) {
        clock.advance(500);
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      }
    },
  };
}

describe("the choice of an endpoint", () => {
  test("is the less busy one of two at random", () => {
    const { endpoints, at } = engines([A, B], { draws: [0, 0, 0.9, 0] });
    at(A).begin();
    expect(endpoints.choose()).toBe(at(B));
    expect(endpoints.choose()).toBe(at(B));
  });

  test("avoids those that were tried, as long as there are others", () => {
    const { endpoints, at } = engines([A, B]);
    expect(endpoints.choose(new Set([at(A)]))).toBe(at(B));
    expect(endpoints.choose(new Set([at(A), at(B)]))).toBe(at(A));
  });

  test("counts a call that was given up as under way until its time is over", () => {
    const { endpoints, at, clock } = engines([A, B], { draws: [0, 0, 0, 0] });
    at(A).begin();
    at(A).abandon(clock.now() + 100);
    expect(endpoints.choose()).toBe(at(B));
    clock.advance(100);
    expect(at(A).outstanding(clock.now())).toBe(0);
    expect(endpoints.choose()).toBe(at(A));
  });
});

describe("an endpoint", () => {
  test("is out of service after failures in a row, and tried again after 1, 2, 4 s and so on, up to 30 s", async () => {
    const { endpoints, fail, down, tried, advance, reasons } = engines([A]);
    down.set(A, refused);
    for (let i = 0; i < 3; i++) fail(A);
    expect(endpoints.choose()).toBeUndefined();
    expect(reasons).toEqual(["no inference server is available (it is out of service: nothing listens there)"]);
    await advance(95_000);
    const times = [1, 3, 7, 15, 31, 61, 91].map((seconds) => `${1000 * seconds} check ${A}`);
    expect(tried).toEqual(times);
    down.clear();
    await advance(30_000);
    expect(tried.slice(-2)).toEqual([`121000 check ${A}`, `121000 probe ${A}`]);
    expect(reasons.at(-1)).toBeUndefined();
    expect(endpoints.choose()?.address.url).toBe(A);
  });

  test("gets no call of a client while it is tried, and one trial at a time", async () => {
    const { endpoints, fail, at, clock, tried } = engines([A, B]);
    for (let i = 0; i < 3; i++) fail(A);
    clock.advance(1_000);
    expect(at(A).state).toBe("half_open");
    expect(endpoints.choose()).toBe(at(B));
    clock.advance(60_000);
    expect(tried).toHaveLength(1);
    await Promise.resolve();
  });

  test("stays in service if calls succeed between the failures", () => {
    const { endpoints, fail, at } = engines([A]);
    for (let i = 0; i < 10; i++) {
      fail(A);
      fail(A);
      at(A).succeed(at(A).begin());
    }
    expect(endpoints.choose()).toBe(at(A));
  });

  test("that is in service again leaves it at the first failure, for longer than before", async () => {
    const { fail, at, advance, tried } = engines([A]);
    for (let i = 0; i < 3; i++) fail(A);
    await advance(1_000);
    expect(at(A).state).toBe("closed");
    fail(A);
    expect(at(A).state).toBe("open");
    await advance(1_500);
    expect(at(A).state).toBe("open");
    await advance(500);
    expect(tried.at(-1)).toBe(`3000 probe ${A}`);
  });

  test("is not judged by calls from before it was out of service", async () => {
    const { endpoints, fail, at, advance } = engines([A]);
    const [early, late] = [at(A).begin(), at(A).begin()];
    for (let i = 0; i < 3; i++) fail(A);
    at(A).succeed(early);
    expect(at(A).state).toBe("open");
    await advance(1_000);
    endpoints.failed(at(A), late, timeout);
    expect(at(A).state).toBe("closed");
    expect(at(A).outstanding(0)).toBe(0);
  });

  test("is out of service at once when a check finds that nothing listens, and later when it is slow", async () => {
    const { at, down, advance } = engines([A, B], { healthMs: 1_000 });
    down.set(A, refused).set(B, timeout);
    await advance(1_000);
    expect([at(A).state, at(B).state]).toEqual(["open", "closed"]);
    await advance(2_000);
    expect(at(B).state).toBe("open");
  });

  test("that is removed gets no calls and no checks", async () => {
    const { endpoints, update, advance, at, tried, clock } = engines([A, B], { healthMs: 1_000 });
    const removed = at(A);
    const call = removed.begin();
    update([B]);
    endpoints.failed(removed, call, refused);
    await advance(3_000);
    expect(tried.every((line) => line.endsWith(B))).toBe(true);
    expect(clock.pending).toBe(1);
  });
});

test("without an address, no inference server is available", () => {
  const { update, reasons } = engines([]);
  update([A]);
  expect(reasons).toEqual(["no inference server is available (no address is known)", undefined]);
});

test("at the start all endpoints are tried, and those that do not work are out of service", async () => {
  const { endpoints, at, down, reasons } = engines([A, B]);
  down.set(A, refused);
  await endpoints.tryAll();
  expect([at(A).state, at(B).state]).toEqual(["open", "closed"]);
  expect(reasons).toEqual([]);
});

test("closed endpoints leave no timer behind", () => {
  const { endpoints, clock, fail } = engines([A, B], { healthMs: 1_000 });
  for (let i = 0; i < 3; i++) fail(A);
  endpoints.close();
  expect(clock.pending).toBe(0);
});
