import { expect, setDefaultTimeout, test } from "bun:test";

import { speechPlan } from "../../../scripts/bench/support/speech-plan.ts";
import { runPlan } from "../../../src/commands/bench/parts.ts";
import { summarise, type Summary } from "../../../src/commands/bench/summary.ts";
import { type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import { prove } from "../../support/proof.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(1_800_000);

/** The values of a server outside of these tests, which admit everybody. */
const ADMISSION = { "limits.admission.arena": 0.8, "limits.admission.wait_ms": 50, "limits.admission.load": 0.85 };
const INSTANT = { "model.delay": 0, "model.constant_factor": 0, "model.jitter": 0 };
const SLOW = { "model.delay": 0.05, "model.constant_factor": 0, "model.jitter": 0, "model.workers": 1 };

const executable = await sharedExecutable();

async function offer(server: ServeProcess, pattern: string, streams: number): Promise<Summary> {
  const addr = `ws://127.0.0.1:${server.port}/api/v1/${pattern}`;
  const plan = speechPlan({ addr, streams, ramp: 1, settle: 1, seconds: 4, timeout: 60 });
  const result = await runPlan(plan, [executable.path], {});
  return summarise(result, { cpuSeconds: undefined, rssBytes: undefined });
}

/** Everybody who was admitted has all results, an exact ledger and `stopped`; everybody else was refused. */
function expectNothingLost({ streams, refusals, problems, audio }: Summary): void {
  expect(problems).toEqual({});
  expect(audio.missing_frames).toBe(0);
  expect(streams.stopped).toBe(streams.admitted);
  expect(streams.admitted + streams.refused).toBe(streams.offered);
  for (const reason of Object.keys(refusals)) expect(["HTTP 503", "overloaded"]).toContain(reason);
}

/** A few streams are served as if nothing had been. */
async function expectRecovery(server: ServeProcess, pattern: string): Promise<void> {
  let after: Summary | undefined;
  await waitUntil("two streams to be admitted", async () => {
    after = await offer(server, pattern, 2);
    return after.streams.admitted === 2;
  });
  expectNothingLost(after!);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  expect(metrics).toContain("\nstreamer_arena_waiting_streams 0\n");
}

test.each([
  ["memory", "segmented", 150, { ...INSTANT, "limits.arena_mb": 4 }],
  ["the workers", "simple", 30, SLOW],
] as const)("three times what %s carry: nobody admitted loses anything, others are refused", async (...given) => {
  await prove("overload", async () => {
    const [, pattern, streams, settings] = given;
    await using server = await executable.serve({ ...ADMISSION, ...settings });
    const over = await offer(server, pattern, streams);
    expectNothingLost(over);
    expect(over.streams.admitted).toBeGreaterThan(0);
    expect(over.streams.refused).toBeGreaterThan(streams / 3);
    await expectRecovery(server, pattern);
    return `${streams} streams: ${over.streams.admitted} admitted, ${over.streams.refused} refused, 0 missing`;
  });
});

test("a memory that fills up although streams are admitted: those that are ended are told, the others go on", async () => {
  await using server = await executable.serve({ ...INSTANT, "limits.arena_mb": 4 });
  const { streams, problems, audio } = await offer(server, "segmented", 200);
  expect(streams.stopped).toBe(200);
  expect(audio.missing_frames).toBe(0);
  for (const problem of Object.keys(problems)) expect(problem).toStartWith("overloaded: ");
  await expectRecovery(server, "segmented");
});
