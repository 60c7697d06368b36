import { expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { freshSeed, seeded } from "../../support/audio.ts";
import { type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import { expectExactLedger } from "../../support/ledgers.ts";
import { POISON } from "../../support/models/cursed.ts";
import { modelPath } from "../../support/pool-harness.ts";
import { keepStreaming } from "../../support/processes.ts";
import { prove, rounds } from "../../support/proof.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(1_200_000);

const executable = await sharedExecutable();
const seed = freshSeed();
const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 32, is_float: true };
const BLOCK_SAMPLES = 320;
const SIMPLE = { path: "/api/v1/simple" };

/** Blocks of audio, poisonous where `isPoison` says. */
function blocks(count: number, isPoison: (block: number) => boolean = () => false): Uint8Array {
  const samples = new Float32Array(count * BLOCK_SAMPLES);
  for (let block = 0; block < count; block++) if (isPoison(block)) samples[block * BLOCK_SAMPLES] = POISON;
  return new Uint8Array(samples.buffer);
}

async function cursedServer(name: string): Promise<{ server: ServeProcess; curse: string; deaths: () => number }> {
  const [curse, record] = [join(executable.folder, `${name}-curse`), join(executable.folder, `${name}-record`)];
  writeFileSync(record, "");
  const server = await executable.serve({
    "model.name": modelPath("cursed"),
    "model.curse": curse,
    "model.record": record,
    "model.workers": 2,
    "simple.block_ms": 20,
    "log.format": "json",
  });
  return { server, curse, deaths: () => statSync(record).size };
}

/** Time of a crash loop in which deaths are counted, and the most there may be: pauses double from 0.1 s to 5 s. */
const LOOP_MS = rounds(1_500, 60_000);
/** For each of two workers: the pauses of 0.8 to 3.2 s, then one death every 5 s. */
const MOST_DEATHS = 2 * (5 + Math.ceil(LOOP_MS / 5_000));

test("a model that crashes at every call is tried with growing pauses, is not ready meanwhile, and is used again", async () => {
  await prove("crash_loop", async () => {
    const { server, curse, deaths } = await cursedServer("loop");
    const ready = async (): Promise<Response> => await fetch(`${server.url}/api/v1/ready`);
    using client = await server.connect(SIMPLE);
    client.start({ format: FORMAT });
    await client.sendAudio(blocks(10));
    await waitUntil("the first results", () => client.eventsOf("segment").length === 10);
    writeFileSync(curse, "");
    let sent = 10;
    const feed = async (): Promise<void> => {
      await client.sendAudio(blocks(1));
      sent++;
      await waitUntil("an answer", () => client.eventsOf("segment").length + client.eventsOf("error").length === sent);
    };
    while ((await ready()).status === 200) await feed();
    const unready = (await (await ready()).json()) as Record<string, unknown>;
    expect(unready["code"]).toBe("model_unavailable");
    expect(String(unready["message"])).toContain("its workers end before they answer a call; the log has the cause");
    const before = deaths();
    for (const until = performance.now() + LOOP_MS; performance.now() < until;) await feed();
    const during = deaths() - before;
    expect(during).toBeLessThanOrEqual(MOST_DEATHS);
    rmSync(curse);
    await waitUntil("the server to be ready again", async () => (await ready()).status === 200);
    const good = client.eventsOf("segment").length;
    while (client.eventsOf("segment").length < good + 20) await feed();
    client.stop({ disconnect: true });
    expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
    const { stopped } = expectExactLedger(client.events, { bytes: sent * BLOCK_SAMPLES * 4, frameBytes: 4 });
    expect(new Set(client.eventsOf("error").map(({ code }) => code))).toEqual(
      new Set(["worker_crashed", "model_unavailable"]),
    );
    expect(server.log.some(({ event }) => event === "model_unavailable")).toBeTrue();
    await waitUntil("the log to say that it is over", () => server.err.includes('"model_available"'));
    const failed = stopped.channels[0]?.failed ?? 0;
    return `${during} deaths in ${LOOP_MS / 1_000} s of it, not ready, recovered; ${failed} samples named as failed, 0 missing`;
  });
});

const POISONS = rounds(5, 200);
const EVERY = 7;

test("audio that ends its worker is tried once more, alone, then an error has its bounds, and the stream goes on", async () => {
  await prove("poison", async () => {
    const { server, deaths } = await cursedServer("poison");
    const count = POISONS * EVERY;
    using victim = await server.connect(SIMPLE);
    using other = await server.connect(SIMPLE);
    let answered = 0;
    for (const [client, isPoison] of [
      [victim, (block: number) => block % EVERY === 3],
      [other, () => false],
    ] as const) {
      client.start({ format: FORMAT });
      const audio = blocks(count, isPoison);
      answered += count;
      await client.sendInChunks(audio, () => 4_000);
      client.stop({ disconnect: true });
    }
    for (const client of [victim, other]) {
      expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
      expectExactLedger(client.events, { bytes: count * BLOCK_SAMPLES * 4, frameBytes: 4 });
    }
    const failed = victim.eventsOf("error").map(({ code, start_time }) => [code, Math.round((start_time ?? 0) * 50)]);
    expect(failed).toEqual(Array.from({ length: POISONS }, (_, n) => ["worker_crashed", n * EVERY + 3]));
    expect(other.eventsOf("error")).toEqual([]);
    expect(deaths()).toBeLessThanOrEqual(2 * POISONS);
    return `${deaths()} deaths for ${POISONS} poisonous spans among ${answered}; those beside them all answered`;
  });
});

const FREEZES = rounds(1, 60);
const LIMIT_MS = 1_500;

test(`a server that is frozen and continued at random under load ends no session by it (seed ${seed})`, async () => {
  await prove("freezes", async () => {
    const random = seeded(seed);
    const server = await executable.serve({
      "model.workers": 2,
      "model.delay": 0.002,
      "model.jitter": 0,
      "model.inference_timeout_ms": LIMIT_MS,
      "limits.idle_timeout_ms": LIMIT_MS,
      "limits.start_timeout_ms": LIMIT_MS,
      "limits.slow_reader_ms": LIMIT_MS,
      "limits.max_sessions_per_address": 1_000,
    });
    let isOver = false;
    const paths = ["simple", "segmented", "stateful"].map((name) => `/api/v1/${name}`);
    const load = Array.from({ length: 12 }, (_, n) =>
      keepStreaming(server, paths[n % paths.length] ?? "", random, () => isOver),
    );
    let longest = 0;
    for (let i = 0; i < FREEZES; i++) {
      await Bun.sleep(100 + random() * 400);
      const ms = i === 0 ? 2 * LIMIT_MS : random() * 2 * LIMIT_MS;
      server.signal("SIGSTOP");
      await Bun.sleep(ms);
      server.signal("SIGCONT");
      longest = Math.max(longest, ms);
    }
    isOver = true;
    const totals = await Promise.all(load);
    const sum = (key: keyof (typeof totals)[number]) => totals.reduce((all, each) => all + each[key], 0);
    expect([sum("broken"), sum("unaccepted"), sum("connections")]).toEqual([0, 0, load.length]);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    return `${FREEZES} freezes of up to ${(longest / 1_000).toFixed(1)} s with limits of ${LIMIT_MS / 1_000} s: ${sum("streams")} streams exact`;
  });
});
