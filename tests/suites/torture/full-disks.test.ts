import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { constants, readFileSync, readSync, rmSync } from "node:fs";
import { mkdir, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import { metricOf, streamBeside } from "../../support/outages.ts";
import { residentBytes } from "../../support/processes.ts";
import { prove, rounds } from "../../support/proof.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(600_000);

const executable = await sharedExecutable();
const ROUNDS = rounds(1, 40);
/** Streams whose records are more than a pipe and the server's own buffer hold. */
const FILLING = { clients: 6, rounds: rounds(2, 40), empty: 150 };
const SETTINGS = { "model.workers": 2, "model.delay": 0, "model.jitter": 0, "log.format": "json" };
const MIB = 1024 * 1024;
/** What varies with the load, less than the records of all streams in the long form. */
const MOST_GROWTH = 60 * MIB;
/** Starts the program with standard error on a file. */
const errorsTo = (path: string): string[] => ["sh", "-c", `exec "$@" 2>${path}`, "sh"];
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "streamer-disks-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function dropped(server: ServeProcess): Promise<number> {
  return await metricOf(server, "streamer_log_lines_dropped_total");
}

test("a log on a disk that is full harms no stream, and the records that are lost are counted and said", async () => {
  await prove("full_disk", async () => {
    const server = await executable.serve(SETTINGS, [], {}, errorsTo("/dev/full"));
    const { streams } = await streamBeside(server, { rounds: ROUNDS });
    const lost = await dropped(server);
    expect(lost).toBeGreaterThanOrEqual(2 * streams);
    expect(server.out).toContain("standard error cannot be written (ENOSPC): log lines are lost\n");
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    return `/dev/full: ${streams} streams unharmed, ${lost} records lost and counted`;
  });
});

/** True where a process may have file systems of its own. */
const ownMounts = Bun.spawnSync(["unshare", "-rm", "true"]).success || undefined;
if (ownMounts === undefined) reportMissing("unshare -rm is not allowed here");

testWith(ownMounts)("a log goes on when its disk has room again, each record on a line of its own", async () => {
  await prove("full_disk", async () => {
    const disk = join(folder, "disk");
    await mkdir(disk);
    const mount = `mount -t tmpfs -o size=256k tmpfs ${disk} && head -c 200000 /dev/zero >${disk}/filler`;
    const under = ["unshare", "-rm", "sh", "-c", `${mount} && exec "$@" 2>${disk}/log`, "sh"];
    const server = await executable.serve(SETTINGS, [], {}, under);
    const seen = `/proc/${server.pid}/root${disk}`;
    let streams = 0;
    while ((await dropped(server)) === 0) streams += (await streamBeside(server, { rounds: ROUNDS })).streams;
    const lost = await dropped(server);
    rmSync(`${seen}/filler`);
    await waitUntil("the log to say what was lost", async () => {
      streams += (await streamBeside(server, { clients: 1, rounds: 1, empty: 1 })).streams;
      return readFileSync(`${seen}/log`, "utf8").includes('"log_lines_dropped"');
    });
    const lines = readFileSync(`${seen}/log`, "utf8").trimEnd().split("\n");
    // Of the record that did not fit, a part may stand there.
    const torn = lines.filter((line) => !line.endsWith("}"));
    expect(torn.length).toBeLessThanOrEqual(1);
    const whole = lines.filter((line) => line !== "" && !torn.includes(line));
    const records = whole.map((line) => JSON.parse(line) as Record<string, unknown>);
    const said = records.find(({ event }) => event === "log_lines_dropped");
    expect(Number(said?.["lines"])).toBeGreaterThanOrEqual(lost);
    return `disk full, then not: ${streams} streams unharmed, ${String(said?.["lines"])} records lost and said`;
  });
});

test("a reader of the log that stops delays no stream, and memory has a limit; gone, it ends nothing", async () => {
  await prove("full_disk", async () => {
    const pipe = join(folder, "pipe");
    expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
    await using reader = await open(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const server = await executable.serve(SETTINGS, [], {}, errorsTo(pipe));
    // What waits for the reader is at its limit afterwards, and so is the memory that so many streams need.
    let { streams } = await streamBeside(server, FILLING);
    const before = residentBytes(server.pid);
    streams += (await streamBeside(server, FILLING)).streams;
    const lost = await dropped(server);
    expect(lost).toBeGreaterThan(0);
    const growth = residentBytes(server.pid) - before;
    expect(growth).toBeLessThan(MOST_GROWTH);
    const bytes = Buffer.alloc(MIB);
    let text = "";
    await waitUntil("the log to say what was lost", async () => {
      try {
        text += bytes.toString("utf8", 0, readSync(reader.fd, bytes));
      } catch {
        // Nothing is there at the moment.
      }
      streams += (await streamBeside(server, { clients: 1, rounds: 1, empty: 1 })).streams;
      return text.includes('"log_lines_dropped"');
    });
    await reader.close();
    streams += (await streamBeside(server, { rounds: ROUNDS })).streams;
    expect(server.out).toContain("standard error cannot be written (EPIPE): the server goes on without a log\n");
    server.signal("SIGTERM");
    expect(await server.waitForExit()).toEqual({ code: 0, signal: null });
    const mib = (growth / MIB).toFixed(0);
    return `reader that stops: ${streams} streams unharmed, ${lost} records lost and said, ${mib} MiB`;
  });
});
