import { describe, expect, setDefaultTimeout, test } from "bun:test";

import { freshSeed, seeded } from "../../support/audio.ts";
import { drainUnderLoad } from "../../support/drain-under-load.ts";
import { sharedExecutable } from "../../support/executable.ts";
import { keepStreaming, ProcessesServer } from "../../support/processes.ts";
import { prove, rounds } from "../../support/proof.ts";
import { waitUntil } from "../../support/wait.ts";

const EVENTS = rounds(6, 60);
const CLIENTS = 12;
const PATHS = ["simple", "segmented", "stateful"].map((name) => `/api/v1/${name}`);

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(3_600_000);

const executable = await sharedExecutable();

/** The short form runs side by side what is mostly waiting. */
const together = rounds(1, 0) === 1 ? test.concurrent : test;

describe("several processes", () => {
  const seed = freshSeed();
  together(
    `${EVENTS} times killed, drained and replaced under load: only streams of killed ones break (seed ${seed})`,
    async () => {
      await prove("processes", async () => {
        const random = seeded(seed);
        const limits = { "limits.drain_timeout_ms": 300, "limits.max_sessions_per_address": 1_000 };
        await using server = await ProcessesServer.start(executable, { ...limits, "server.processes": 3 });
        let isOver = false;
        const load = Array.from({ length: CLIENTS }, (_, i) => {
          return keepStreaming(server.server, PATHS[i % PATHS.length] ?? "", random, () => isOver);
        });
        let reloads = 0;
        let deaths = 0;
        for (let i = 0; i < EVENTS; i++) {
          await Bun.sleep(random() * 400);
          const kind = Math.floor(random() * 3);
          if (kind === 2) {
            server.server.signal("SIGHUP");
            await server.logged("reloaded", ++reloads);
          } else {
            const all = (await server.processes()).filter(({ state }) => state === "ready");
            const victim = all[Math.floor(random() * all.length)];
            if (victim === undefined) continue;
            process.kill(victim.pid, kind === 0 ? "SIGKILL" : "SIGTERM");
            await server.logged("process_died", ++deaths);
          }
          await server.untilReady(3);
        }
        isOver = true;
        const totals = await Promise.all(load);
        const sum = (key: keyof (typeof totals)[number]) => totals.reduce((all, each) => all + each[key], 0);
        const lost = (await server.logged("process_died", deaths)).reduce(
          (all, each) => all + Number(each["lost_sessions"]),
          0,
        );
        // A client whose handshake was not answered does not know of the session that it had.
        expect(sum("broken")).toBeLessThanOrEqual(lost);
        expect(lost).toBeLessThanOrEqual(sum("broken") + sum("unaccepted"));
        expect(sum("streams")).toBeGreaterThan(EVENTS);
        await waitUntil("the end of all sessions", async () => (await server.info()).sessions === 0);
        return `${EVENTS} events, ${sum("streams")} streams exact, ${sum("broken")} broken with a killed process`;
      });
    },
  );

  const drainSeed = freshSeed();
  together(`SIGTERM at a random moment under load loses no result (seed ${drainSeed})`, async () => {
    await prove("shutdowns", async () => {
      const random = seeded(drainSeed);
      for (let i = 0; i < EVENTS / 2; i++) await drainUnderLoad(executable, random, 2);
      return `${EVENTS / 2} of two processes, 0 results lost`;
    });
  });

  together("a process that hangs is killed and replaced", async () => {
    await using server = await ProcessesServer.start(executable);
    const [victim] = await server.processes();
    process.kill(victim?.pid ?? 0, "SIGSTOP");
    const [unresponsive] = await server.logged("process_unresponsive");
    expect(unresponsive).toMatchObject({ process: victim?.process, pid: victim?.pid, seconds: 30 });
    await server.untilReady();
    expect((await server.metrics()).value("streamer_process_deaths_total", { cause: "unresponsive" })).toBe(1);
  });
});
