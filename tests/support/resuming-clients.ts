import { expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { connect } from "../../src/client/client.ts";
import { LedgerCheck } from "../../src/client/ledger.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import { frameBytes } from "../../src/protocol/format.ts";
import { encode, sampleFields, seeded, speech } from "./audio.ts";
import { CuttingProxy } from "./cutting-proxy.ts";
import { InProcessServer, type Settings } from "./in-process-server.ts";
import { chunkInvariantEvents } from "./ledgers.ts";

interface Streamed {
  readonly events: ServerEvent[];
  readonly resumptions: number;
  readonly problems: string[];
}

/** Streams audio a part at a time, with a flush in the middle, and returns what the user of the client gets. */
async function streamed(
  port: number,
  path: string,
  format: typeof S16,
  audio: Uint8Array<ArrayBuffer>,
  slowly: boolean,
): Promise<Streamed> {
  let asked = 0;
  // The server that gives tickets may be the one that has gone.
  const credentials = async () => {
    if (asked++ % 2 === 1) throw new TypeError("Failed to fetch");
    return {};
  };
  using client = await connect(`ws://127.0.0.1:${port}/api/v1/${path}`, { format }, { credentials });
  const started = await client.started();
  const check = new LedgerCheck(started.sample_rate);
  const events: ServerEvent[] = [];
  const receiving = (async () => {
    for await (const { event } of client.events) {
      events.push(event);
      check.add(event);
      if (event.type === "stopped") return event;
    }
    throw new Error("no stopped");
  })();
  const bytes = Math.floor(format.sample_rate / 10) * frameBytes(format);
  const middle = Math.floor(audio.length / 2 / bytes) * bytes;
  for (let at = 0; at < audio.length; at += bytes) {
    await client.send(audio.slice(at, at + bytes));
    if (at === middle) client.flush();
    // Checkpoints are a second apart.
    if (slowly) await Bun.sleep(15);
  }
  client.stop();
  const sent = { bytes: client.sentBytes, frameBytes: frameBytes(format), channels: format.channels };
  const rates = { sampleRate: format.sample_rate, modelRate: started.sample_rate };
  const problems = check.problems(await receiving, { ...sent, ...rates, isResumed: true });
  return { events, resumptions: client.resumptions, problems };
}

const S16 = { channels: 1, sample_rate: 16_000, ...sampleFields("s16") };

/**
 * Checks that a client whose connections are cut gets the events of one whose is not, from two servers that share only a
 * key, in all patterns. Returns a figure for the table of promises.
 * @param channels of the model with state @param only one pattern; default: all
 */
export async function checkResumingClients({
  rounds,
  channels,
  seed,
  only,
}: {
  rounds: number;
  channels: number;
  seed: number;
  only?: string;
}): Promise<string> {
  const stateful = { "model.name": "denoise" };
  const folder = mkdtempSync(join(tmpdir(), "streamer-resume-"));
  using removed = new DisposableStack();
  removed.defer(() => rmSync(folder, { recursive: true, force: true }));
  const keys = join(folder, "keys");
  writeFileSync(keys, `key ${Buffer.alloc(32, 5).toString("base64")}\n`);
  const RESUMES: Settings = { "auth.secret_file": keys, "limits.resume_ms": 60_000 };
  await using simple = await InProcessServer.start(RESUMES);
  await using other = await InProcessServer.start(RESUMES);
  await using one = await InProcessServer.start({ ...RESUMES, ...stateful });
  await using two = await InProcessServer.start({ ...RESUMES, ...stateful });
  const random = seeded(seed);
  let resumptions = 0;
  const cases = [
    { path: "simple", servers: [simple, other], format: S16 },
    {
      path: "segmented",
      servers: [simple, other],
      format: { channels: 2, sample_rate: 48_000, ...sampleFields("f32") },
    },
    {
      path: "stateful",
      servers: [one, two],
      format: { channels: channels, sample_rate: 8_000, ...sampleFields("mulaw") },
    },
  ];
  for (let round = 0; round < rounds; round++) {
    for (const { path, servers, format } of cases.filter((each) => only === undefined || each.path === only)) {
      const spoken = speech([0.7, 0.4, 1.9, 0.8, 0.5, 1.2], { rate: format.sample_rate, seed: (seed % 1000) + round });
      const signals = Array.from({ length: format.channels }, (_, c) =>
        c === 0 ? spoken : spoken.map((x) => x / (c + 1)),
      );
      const audio = new Uint8Array(encode(nameOf(path), ...signals));
      const whole = await streamed(servers[0]!.port, path, format, audio, false);
      const cuts = Array.from({ length: 3 }, () => Math.floor((0.2 + 0.5 * random()) * audio.length));
      using proxy = new CuttingProxy(
        servers.map(({ port }) => port),
        cuts,
      );
      const broken = await streamed(proxy.port, path, format, audio, true);
      expect([path, broken.problems]).toEqual([path, []]);
      expect(broken.resumptions).toBeGreaterThan(0);
      expect(chunkInvariantEvents(broken.events)).toEqual(chunkInvariantEvents(whole.events));
      resumptions += broken.resumptions;
    }
  }
  expect(resumptions).toBeGreaterThan(0);
  return `0 differences after ${resumptions} resumptions by the client library`;
}

function nameOf(path: string): "s16" | "f32" | "mulaw" {
  return path === "simple" ? "s16" : path === "segmented" ? "f32" : "mulaw";
}
