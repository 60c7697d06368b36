import { expect, test } from "bun:test";

import { NewRates } from "../../src/session/new-rates.ts";
import { SessionHarness } from "../support/session-harness.ts";

const format = (sample_rate: number) => ({ format: { channels: 1, sample_rate, bit_depth: 16, is_float: false } });

test("four new sample rates are free, and four more in each second", () => {
  const rates = new NewRates(0);
  for (const rate of [8_000, 16_000, 44_100, 48_000]) rates.use(rate, 0);
  expect(() => rates.use(22_050, 200)).toThrow("format.sample_rate: found 22050");
  rates.use(22_050, 300);
  expect(() => rates.use(11_025, 300)).toThrow("allowed: 4 new rates a second");
});

test("rates that the session has used before are free", () => {
  const rates = new NewRates(0);
  for (let i = 0; i < 100; i++) rates.use(i % 2 === 0 ? 8_000 : 44_100, 0);
});

test("what is remembered is limited: the rate that was used last longest ago is new again", () => {
  const rates = new NewRates(0);
  for (let i = 0; i <= 16; i++) rates.use(8_000 + i, i * 1_000);
  rates.use(8_001, 16_000);
  for (let i = 0; i < 3; i++) rates.use(9_000 + i, 16_000);
  expect(() => rates.use(8_000, 16_000)).toThrow("found 8000");
});

test("a start with one new rate too many is refused, and the connection goes on", () => {
  using harness = new SessionHarness();
  const { session, connection } = harness.start("simple", format(8_001));
  const start = (rate: number): void => session.receive(JSON.stringify({ request: "start", ...format(rate) }));
  for (let i = 2; i <= 5; i++) start(8_000 + i);
  expect(connection.summaries.slice(-2)).toEqual(["stopped restart", "error too_many_requests"]);
  expect(connection.events.at(-1)).toMatchObject({ fatal: false, retryable: true, param: "format.sample_rate" });
  harness.now += 1_000;
  start(8_006);
  expect(connection.summaries.at(-1)).toBe("started");
});
