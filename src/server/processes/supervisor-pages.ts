import type { Config } from "../../config/config.ts";
import type { SessionTable } from "../../native/session-table.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { renderSnapshots } from "../../telemetry/metrics/exposition.ts";
import type { LiveStats } from "../../telemetry/metrics/live-stats.ts";
import type { AdminHost } from "../admin.ts";
import { sumOfLive } from "./process-totals.ts";
import type { ServerChild } from "./server-child.ts";
import type { Supervisor } from "./supervisor.ts";

/** Longest time that a page waits for a process; then it shows what that process reported last. */
const ANSWER_MS = 2_000;

export interface SupervisorPagesOptions {
  /** Returns undefined before the first process is started. */
  readonly supervisor: () => Supervisor | undefined;
  readonly table: SessionTable;
  readonly version: string;
  /** Returns the configuration of the server, undivided. */
  readonly config: () => Config;
  /** Returns the seconds since the start. */
  readonly uptime: () => number;
  readonly reload: AdminHost["reload"];
}

/** Returns the pages about all processes of a server. */
export function supervisorPages(options: SupervisorPagesOptions): AdminHost {
  return {
    version: options.version,
    unready: () => whyUnready(options.supervisor()),
    metrics: async (accept) => {
      const supervisor = options.supervisor();
      if (supervisor === undefined) return await renderSnapshots([], accept);
      const { children, totals } = supervisor;
      await Promise.all([...children].map((child) => child.refreshMetrics(ANSWER_MS)));
      return await renderSnapshots(await totals.merged(() => children), accept);
    },
    describe: () => describe(options),
    reload: (model) => options.reload(model),
  };
}

/** Sums the newest numbers of all processes. Undefined before the first. */
export function liveOfAll(children: Iterable<ServerChild>): LiveStats | undefined {
  return sumOfLive([...children].flatMap(({ load }) => (load === undefined ? [] : [load.live])));
}

/** Returns why no process takes streams; undefined when one does. */
function whyUnready(supervisor: Supervisor | undefined): ProtocolError | undefined {
  if (supervisor?.isDraining === true) return new ProtocolError("draining", "the server is shutting down");
  const ready = [...(supervisor?.children ?? [])].filter(({ state }) => state === "ready");
  const [first] = ready;
  if (first === undefined) return new ProtocolError("not_ready", "no process is ready");
  const { unready } = first.health;
  if (unready === undefined || ready.some(({ health }) => health.unready === undefined)) return undefined;
  return new ProtocolError(unready.code, unready.message);
}

/** What one process reports, with the numbers of all. */
async function describe(options: SupervisorPagesOptions): Promise<Record<string, unknown>> {
  const { supervisor, table, config, uptime } = options;
  const children = [...(supervisor()?.children ?? [])];
  const infos = await Promise.all(children.map((child) => child.ask("info", ANSWER_MS)));
  await Promise.all(children.map((child) => child.refreshLoad(ANSWER_MS)));
  const known = infos.filter((info) => info !== undefined);
  const live = liveOfAll(children);
  return {
    ...known[0],
    ...("limits" in (known[0] ?? {}) && { limits: config().limits }),
    sessions: table.count(),
    arena: sumOfSlabs(known),
    live: { uptime_seconds: Math.floor(uptime()), ...live },
    processes: children.map(({ number, pid, state, owner, load }) => {
      return { process: number, pid, state, sessions: table.count(owner), streams: load?.live.streams ?? 0 };
    }),
  };
}

function sumOfSlabs(infos: readonly Readonly<Record<string, unknown>>[]): { used_slabs: number; slabs: number } {
  const total = { used_slabs: 0, slabs: 0 };
  for (const { arena } of infos) {
    const { used_slabs = 0, slabs = 0 } = (arena ?? {}) as Partial<typeof total>;
    total.used_slabs += used_slabs;
    total.slabs += slabs;
  }
  return total;
}
