import { expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { freshSeed, seeded } from "../../support/audio.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { Corpus } from "../../support/fuzzing/corpus.ts";
import { WireSession } from "../../support/fuzzing/wire.ts";
import { prove, rounds } from "../../support/proof.ts";
import { ScrapedMetrics } from "../../support/scraped-metrics.ts";
import { waitUntil } from "../../support/wait.ts";

/** STREAMER_FUZZ_MESSAGES selects another number. */
const MESSAGES = Number(process.env["STREAMER_FUZZ_MESSAGES"] ?? rounds(50_000, 1_000_000, 10_000_000));
const MESSAGES_A_SESSION = 2_000;
const CLIENTS = 8;
const TEXTS = 20_000;
/** Memory that may be added after the first tenth, MiB. */
const GROWTH_MIB = 100;

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(rounds(1, 1, 12) * 3_600_000);

const executable = await sharedExecutable();
const seed = freshSeed();

const MODEL = { "model.workers": 2, "model.delay": 0, "model.warmup_penalty": 1, "model.failure_rate": 0.05 };
const STRICT = {
  "models.strict.name": fileURLToPath(new URL("../../support/models/strict.ts", import.meta.url)),
  "models.strict.workers": 1,
};
const LIMITS = { "simple.block_ms": 200, "limits.arena_mb": 64 };

async function residentMib(pid: number): Promise<number> {
  const [, pages = "0"] = (await readFile(`/proc/${pid}/statm`, "utf8")).split(" ");
  return (Number(pages) * 4_096) / 2 ** 20;
}

test(`${MESSAGES} hostile messages over the wire: each violation gets its error, and nothing is left (seed ${seed})`, async () => {
  await prove("protocol_fuzzing", async () => {
    const server = await executable.serve({ ...MODEL, ...STRICT, ...LIMITS });
    const corpus = new Corpus(seeded(seed), TEXTS);
    let [messages, refusals, streams, sessions] = [0, 0, 0, 0];
    const client = async (until: number): Promise<void> => {
      while (messages < until) {
        const session = new WireSession(server.port, corpus, (seed + Math.imul(sessions++, 0x9e3779b1)) >>> 0);
        await session.run(MESSAGES_A_SESSION);
        messages += session.sent;
        refusals += session.model.refusals;
        streams += session.model.streams;
      }
    };
    const run = async (until: number): Promise<void> => {
      await Promise.all(Array.from({ length: CLIENTS }, async () => await client(until)));
    };
    await run(MESSAGES / 10);
    const before = await residentMib(server.pid);
    await run(MESSAGES);
    const grown = Math.round((await residentMib(server.pid)) - before);

    await waitUntil("the sessions and their memory are gone", async () => {
      const { value } = await ScrapedMetrics.from(server.url);
      return (
        value("streamer_sessions_active") + value("streamer_streams_active") + value("streamer_arena_used_bytes") === 0
      );
    });
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    expect(grown).toBeLessThan(GROWTH_MIB);
    return `${messages} messages over the wire, ${streams} streams, ${refusals} violations answered, ${grown} MiB more`;
  });
});
