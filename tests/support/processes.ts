import { readFileSync } from "node:fs";

import type { Executable, ServeProcess } from "./executable.ts";
import type { Settings } from "./in-process-server.ts";
import { ScrapedMetrics } from "./scraped-metrics.ts";
import { expectAllAnswered, sendUntilClosed } from "./streams-until-closed.ts";
import { waitUntil } from "./wait.ts";

/** One process, as `info` describes it. */
export interface ProcessInfo {
  readonly process: number;
  readonly pid: number;
  readonly state: string;
  readonly sessions: number;
}

export const QUICK_MODEL = { "model.workers": 2, "model.delay": 0.002, "model.jitter": 0, "model.warmup_penalty": 1 };

/** A server with several processes and an address for operators. */
export class ProcessesServer implements AsyncDisposable {
  readonly server: ServeProcess;
  readonly admin: string;

  static async start(executable: Executable, settings: Settings = {}, args: readonly string[] = []) {
    const all = { ...QUICK_MODEL, "server.processes": 2, "server.admin": "127.0.0.1:0", ...settings };
    // A new session has no controlling terminal, wherever the tests run.
    const server = await executable.serve(all, args, {}, ["setsid"]);
    const [ready] = await loggedBy(server, "ready");
    return new ProcessesServer(server, String(ready?.["admin"]));
  }

  private constructor(server: ServeProcess, admin: string) {
    this.server = server;
    this.admin = admin;
  }

  async info(): Promise<Record<string, unknown> & { sessions: number; processes: ProcessInfo[] }> {
    return (await (await fetch(`${this.admin}/api/v1/info`)).json()) as Awaited<ReturnType<ProcessesServer["info"]>>;
  }

  async processes(): Promise<ProcessInfo[]> {
    return (await this.info()).processes;
  }

  async metrics(): Promise<ScrapedMetrics> {
    return await ScrapedMetrics.from(this.admin);
  }

  /** Waits until so many records of an event are in the log, and returns them. */
  async logged(event: string, count = 1): Promise<Record<string, unknown>[]> {
    return await loggedBy(this.server, event, count);
  }

  async untilReady(count = 2): Promise<void> {
    const ready = async () => (await this.processes()).filter(({ state }) => state === "ready").length;
    await waitUntil(`${count} ready processes`, async () => (await ready()) === count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pids = await this.processes().then(
      (all) => all.map(({ pid }) => pid),
      () => [],
    );
    await this.server[Symbol.asyncDispose]();
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  }
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  const [, kib = "0"] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

/** Returns false for a process that has ended, also when its parent has not waited for it. */
export function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return false;
  }
}

export async function loggedBy(server: ServeProcess, event: string, count = 1): Promise<Record<string, unknown>[]> {
  // The last line may not be complete yet.
  const find = () => {
    const lines = server.err
      .split("\n")
      .slice(0, -1)
      .filter((line) => line.includes(`"event":"${event}"`));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  await waitUntil(`${count} records ${event}`, () => find().length >= count);
  return find();
}

/** What one client has sent and received, over one connection after the other. */
export interface LoadTotals {
  streams: number;
  bytes: number;
  connections: number;
  /** Connections that ended without a close frame. */
  broken: number;
  /** Connections that were reset before a process had accepted them. */
  unaccepted: number;
}

/**
 * Sends stream after stream, and connects again when the server closes the connection, until `isOver`. Expects that every
 * stream has an exact ledger, by the count of the client; only a connection that broke may leave one open.
 */
export async function keepStreaming(
  server: ServeProcess,
  path: string,
  random: () => number,
  isOver: () => boolean,
): Promise<LoadTotals> {
  const totals: LoadTotals = { streams: 0, bytes: 0, connections: 0, broken: 0, unaccepted: 0 };
  while (!isOver()) {
    const client = await server.connect({ path }).catch(() => undefined);
    if (client === undefined) {
      totals.unaccepted += 1;
      await Bun.sleep(10);
      continue;
    }
    totals.connections += 1;
    // Not further ahead than one stream, so that the end of the load is near.
    const sent = await sendUntilClosed(client, { random, pauseMs: 10, waits: true, isOver });
    const closed = client.closed ?? { code: 1000, reason: "" };
    if (closed.code === 1006) totals.broken += 1;
    else {
      const { streams, bytes } = expectAllAnswered(client, sent);
      totals.streams += streams;
      totals.bytes += bytes;
    }
    client[Symbol.dispose]();
  }
  return totals;
}
