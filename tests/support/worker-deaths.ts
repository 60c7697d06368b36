import { expect } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { encode, seeded, speech } from "./audio.ts";
import type { Executable, ServeProcess } from "./executable.ts";
import { ledgerProblems, onlyStream } from "./ledgers.ts";
import { DEATHS } from "./models/doomed.ts";
import { modelPath } from "./pool-harness.ts";
import { residentBytes } from "./processes.ts";
import { waitUntil } from "./wait.ts";
import type { WebSocketClient } from "./websocket-client.ts";

const CLIENTS = 8;
const WORKERS = 3;
/** Less than a call of the kind `hang` takes. */
const DEADLINE_MS = 150;
const ROUTES = ["simple", "segmented", "stateful"];
const ALLOWED = new Set(["worker_crashed", "inference_timeout", "inference_failed", "model_unavailable"]);
const MIB = 1024 * 1024;

/** A model whose workers die. */
export interface DoomedModel {
  readonly path: string;
  /** The byte of the file `record` for each kind of death. */
  readonly deaths: Readonly<Record<string, string>>;
  /** Settings of the server besides. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

const DOOMED: DoomedModel = { path: modelPath("doomed"), deaths: DEATHS };

/** What a run has come to. */
export interface DeathsFound {
  /** By kind. */
  readonly deaths: Readonly<Record<string, number>>;
  readonly streams: number;
  /** Samples that the clients sent, and those of them that no result, silence or error names. */
  readonly samples: number;
  readonly missing: number;
  /** Spans with an error. */
  readonly errors: number;
  /** Growth of the process from the first third of the deaths to the end, MiB: the least of each. */
  readonly growthMib: number;
}

/**
 * Streams to a server whose workers die in every way at random, until each way has come so many times.
 * @param settleMs time in which the memory of the idle server settles at the end
 */
export async function streamUnderDeaths(
  executable: Executable,
  each: number,
  seed: number,
  settleMs: number,
  doomed = DOOMED,
): Promise<DeathsFound> {
  const record = join(executable.folder, `deaths-${seed}`);
  writeFileSync(record, "");
  await using server = await executable.serve({
    "model.name": doomed.path,
    "model.workers": WORKERS,
    "model.inference_timeout_ms": DEADLINE_MS,
    "model.seed": seed,
    "model.record": record,
    "simple.block_ms": 100,
    "limits.finish_ms": 120_000,
    "limits.max_sessions_per_address": 1_000,
    ...doomed.settings,
  });
  const counts = (): Record<string, number> => {
    const text = readFileSync(record, "latin1");
    return Object.fromEntries(
      Object.entries(doomed.deaths).map(([death, byte]) => [death, text.split(byte).length - 1]),
    );
  };
  const found = { streams: 0, samples: 0, missing: 0, errors: 0 };
  let least = 0;
  let early = Infinity;
  const load = Array.from({ length: CLIENTS }, async (_, n) => {
    const random = seeded(seed + n);
    for (let round = 0; least < each; round++) {
      const { errors, samples, missing } = await sendStream(server, ROUTES[(n + round) % ROUTES.length] ?? "", random);
      if (samples > 0) found.streams++;
      found.samples += samples;
      found.missing += missing;
      found.errors += errors;
    }
  });
  const watch = async (): Promise<void> => {
    while (least < each) {
      await Bun.sleep(200);
      least = Math.min(...Object.values(counts()));
      // The least of some time: it is higher while workers load.
      if (least >= each / 10 && least < each / 3) early = Math.min(early, residentBytes(server.pid));
    }
  };
  await Promise.all([...load, watch()]);
  await waitUntil("all workers to be ready again", async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const idle = /^streamer_workers\{.*state="idle"\} (\d+)$/m.exec(text)?.[1];
    return idle === String(WORKERS) && !/^streamer_(?:sessions_active|arena_used_bytes)\b.* [^0]/m.test(text);
  });
  expect((await fetch(`${server.url}/api/v1/ready`)).status).toBe(200);
  let late = Infinity;
  for (const until = performance.now() + settleMs; performance.now() < until; await Bun.sleep(500)) {
    late = Math.min(late, residentBytes(server.pid));
  }
  const growthMib = (late - early) / MIB;
  const deaths = counts();
  rmSync(record);
  return { ...found, deaths, growthMib };
}

async function sendStream(
  server: ServeProcess,
  route: string,
  random: () => number,
): Promise<{ errors: number; samples: number; missing: number }> {
  using client = await server.connect({ path: `/api/v1/${route}` });
  const bytes = encode("s16", speech([0.2, 0.3, 0.2 + 0.2 * random()], { seed: Math.floor(random() * 1e6) }));
  client.start({ interim_results: random() < 0.5, interim_interval_ms: 100 });
  // While no worker can be loaded, a start is refused.
  if (!(await isStarted(client))) return { errors: 0, samples: 0, missing: 0 };
  await client.sendInChunks(bytes, () => 1 + Math.floor(random() * 10_000));
  client.stop({ disconnect: true });
  expect(await client.waitForClose()).toEqual({ code: 1000, reason: "stop" });
  const stream = onlyStream(client.events);
  expect(ledgerProblems(stream, { bytes: bytes.length, frameBytes: 2 })).toEqual([]);
  const errors = client.eventsOf("error");
  expect(errors.filter(({ code }) => !ALLOWED.has(code))).toEqual([]);
  const { inferred = 0, silent = 0, failed = 0 } = stream.stopped.channels[0] ?? {};
  const samples = bytes.length / 2;
  return { errors: errors.length, samples, missing: samples - inferred - silent - failed };
}

/** Waits for the answer to a start. Returns false when it is refused because no worker is left, after some time. */
async function isStarted(client: WebSocketClient): Promise<boolean> {
  await waitUntil("the answer to a start", () => client.events.length > 0);
  const [first] = client.events;
  if (first?.type === "started") return true;
  expect(first).toMatchObject({ type: "error", code: "model_unavailable", fatal: false });
  await Bun.sleep(50);
  return false;
}
