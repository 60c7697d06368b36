import { expect, setDefaultTimeout, test } from "bun:test";

import { encode, freshSeed, noise, seeded } from "../../support/audio.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { expectExactLedger } from "../../support/ledgers.ts";
import { OtlpReceiver } from "../../support/otlp.ts";
import { streamBeside } from "../../support/outages.ts";
import { prove, rounds } from "../../support/proof.ts";
import { waitUntil } from "../../support/wait.ts";
import { WallClock } from "../../support/wall-clock.ts";

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(1_200_000);

const executable = await sharedExecutable();
const ROUNDS = rounds(2, 150);
const PAUSE_MS = 50;
const HOUR = 3_600;
const YEAR = 365 * 24 * HOUR;
/** Seconds from the true time: forwards and backwards, a leap second, the wrong year of a machine that has just booted. */
const JUMPS = [1, -1, HOUR, -HOUR, 30 * 24 * HOUR, -30 * 24 * HOUR, 10 * YEAR, -50 * YEAR];
/** Longer than the test of a silent stream takes between two messages, shorter than every jump but two. */
const LIMIT_MS = 30_000;

const seed = freshSeed();

test(`a clock on the wall that jumps ends no stream, no session and no span (seed ${seed})`, async () => {
  await prove("clock_jumps", async () => {
    await using clock = await WallClock.create();
    await using receiver = new OtlpReceiver();
    const settings = {
      "model.workers": 2,
      // Bun 1.4.5 waits in Atomics.wait, with which this model blocks, until a time on the wall.
      "model.delay": 0,
      "model.constant_factor": 0,
      "model.jitter": 0,
      "model.inference_timeout_ms": LIMIT_MS,
      "limits.idle_timeout_ms": LIMIT_MS,
      "limits.start_timeout_ms": LIMIT_MS,
      "limits.slow_reader_ms": LIMIT_MS,
      "log.format": "json",
    };
    const startedAt = performance.now();
    const server = await executable.serve(settings, [], { ...clock.env, ...receiver.env });
    const random = seeded(seed);
    let jumps = 0;
    let isOver = false;
    const jump = async (): Promise<void> => {
      while (!isOver) {
        clock.set(JUMPS[Math.floor(random() * JUMPS.length)] ?? 0);
        jumps++;
        await Bun.sleep(PAUSE_MS);
      }
    };
    const jumping = jump();
    // A client that is silent, and one whose stream goes on all the time.
    const silent = await server.connect();
    silent.start();
    const steady = await server.connect({ path: "/api/v1/simple" });
    steady.start();
    let streams = 2;
    let sent = 0;
    const part = encode("s16", noise(0.1));
    for (let round = 0; round < ROUNDS; round++) {
      await steady.sendAudio(part);
      sent += part.length;
      // Now and then, so that the true time of the long form is no reason to end the session.
      if (round % 10 === 0) silent.sendText({ request: "keep_alive" });
      streams += (await streamBeside(server, { clients: 3, rounds: 1, empty: 5, seed: seed + round })).streams;
    }
    for (const client of [silent, steady]) {
      client.stop({ disconnect: true });
      expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
      expect(client.eventsOf("error")).toEqual([]);
    }
    expectExactLedger(steady.events, { bytes: sent, frameBytes: 2 });
    expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
    await waitUntil("the spans of all streams", () => {
      return receiver.spans.filter(({ name }) => name.startsWith("stream ")).length >= streams;
    });
    const longest = performance.now() - startedAt;
    const wrong = receiver.spans.filter(({ start, end }) => end < start || end - start > longest);
    expect(wrong.map(({ name, start, end }) => [name, start, end])).toEqual([]);
    isOver = true;
    await jumping;
    // The log shows the time of the wall, whatever it is.
    clock.set(-50 * YEAR);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    const last = server.log.at(-1);
    expect([last?.["event"], new Date(String(last?.["time"])).getFullYear() < 2000]).toEqual(["stopped", true]);
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
    return `${jumps} jumps of 1 s to 50 years: ${streams} streams and their spans unharmed`;
  });
});
