import { expect, setDefaultTimeout, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { FILE_ROUTES, ROUTES } from "../../../src/dialects/dialects.ts";
import { freshSeed, seeded } from "../../support/audio.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { Corpus } from "../../support/fuzzing/corpus.ts";
import { FOREIGN_LANGUAGES } from "../../support/fuzzing/foreign-languages.ts";
import { RUBBISH } from "../../support/fuzzing/foreign-messages.ts";
import { PORT_NAMES, portSession } from "../../support/fuzzing/foreign-ports.ts";
import { ForeignConnection, foreignSession } from "../../support/fuzzing/foreign-session.ts";
import { upload, UPLOAD_NAMES } from "../../support/fuzzing/foreign-uploads.ts";
import { WireSession } from "../../support/fuzzing/wire.ts";
import { prove, rounds } from "../../support/proof.ts";
import { freePort } from "../../support/proxies.ts";
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

/** Messages of clients of other services; most of their sessions are short. */
const FOREIGN_MESSAGES = Number(process.env["STREAMER_FUZZ_MESSAGES"] ?? rounds(6_000, 100_000, 1_000_000));
const FOREIGN_MESSAGES_A_SESSION = 200;
/** Messages in the time of a file. */
const MESSAGES_AN_UPLOAD = 30;

interface Ledger {
  readonly decoded: number;
  readonly inferred: number;
  readonly silent: number;
  readonly failed: number;
}

test(`${FOREIGN_MESSAGES} hostile messages in the dialects of other services: each session ends well or with its error, each stream with its ledger (seed ${seed})`, async () => {
  const dialects = ROUTES.map(({ dialect }) => dialect).filter((dialect) => dialect !== "streamer");
  expect(Object.keys(FOREIGN_LANGUAGES).sort()).toEqual([...new Set(dialects)].sort());
  expect([...UPLOAD_NAMES].sort()).toEqual(FILE_ROUTES.map(({ dialect }) => dialect).sort());
  await prove("protocol_fuzzing", async () => {
    const ports = new Map<string, number>();
    for (const name of PORT_NAMES) ports.set(name, await freePort());
    const settings = Object.fromEntries([...ports].map(([name, port]) => [`${name}.port`, port]));
    const server = await executable.serve({ ...MODEL, ...LIMITS, ...settings }, ["--log-level", "debug"]);
    let [messages, sessions, uploads] = [0, 0, 0];
    const refused = async (name: string, text: string): Promise<void> => {
      const { targets, starts, end } = FOREIGN_LANGUAGES[name]!;
      const connection = await ForeignConnection.open(server.port, name, targets[0]!);
      for (const message of [...starts.slice(0, 1), text]) await connection.send(message);
      const what = `${name} refuses ${text.slice(0, 50)}`;
      // Where nothing ends a connection, the answer has to be awaited.
      if (end === undefined) await waitUntil(what, () => connection.refused);
      await connection.end();
      if (!connection.refused) throw new Error(`it is not true that ${what}`);
      sessions += 1;
    };
    for (const name of dialects) await Promise.all(RUBBISH.map((text) => refused(name, text)));
    const spoken = [...dialects, ...PORT_NAMES];
    const sender = async (): Promise<void> => {
      while (uploads < FOREIGN_MESSAGES / MESSAGES_AN_UPLOAD) {
        const own = (seed + Math.imul(uploads, 0x9e3779b1)) >>> 0;
        await upload(server.url, UPLOAD_NAMES[uploads++ % UPLOAD_NAMES.length]!, own);
      }
    };
    const client = async (): Promise<void> => {
      while (messages < FOREIGN_MESSAGES) {
        const own = (seed + Math.imul(sessions, 0x9e3779b1)) >>> 0;
        const name = spoken[sessions++ % spoken.length]!;
        const port = ports.get(name);
        messages +=
          port === undefined
            ? await foreignSession(server.port, name, own, FOREIGN_MESSAGES_A_SESSION)
            : await portSession(port, name as (typeof PORT_NAMES)[number], own, FOREIGN_MESSAGES_A_SESSION);
      }
    };
    await Promise.all([...Array.from({ length: CLIENTS }, client), ...Array.from({ length: CLIENTS / 2 }, sender)]);
    await waitUntil("the sessions and their memory are gone", async () => {
      const { value } = await ScrapedMetrics.from(server.url);
      return (
        value("streamer_sessions_active") + value("streamer_streams_active") + value("streamer_arena_used_bytes") === 0
      );
    });
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    const count = (event: string) => server.log.filter((record) => record["event"] === event).length;
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
    // Some files are refused before there is a session.
    const opened = count("session_opened");
    expect(opened - sessions).toBeWithin(0, uploads + 1);
    expect(count("session_closed")).toBe(opened);
    const streams = count("stream_started");
    expect(count("stream_stopped")).toBe(streams);
    const ledgers = server.log.flatMap((record) => (record["ledger"] ?? []) as Ledger[]);
    expect(ledgers.filter((one) => one.decoded !== one.inferred + one.silent + one.failed)).toEqual([]);
    return `${messages} messages and ${uploads} files in the dialects of other services, ${opened} sessions, ${streams} streams`;
  });
});
