import { expect } from "bun:test";
import { join } from "node:path";

import { speechPlan } from "../../../scripts/bench/support/speech-plan.ts";
import { quantile } from "../../../scripts/bench/support/statistics.ts";
import { runPlan } from "../../../src/commands/bench/parts.ts";
import type { Executable, ServeProcess } from "../executable.ts";
import type { Settings } from "../in-process-server.ts";
import { rounds } from "../proof.ts";
import { reportMissing } from "../requirements.ts";
import { ScrapedMetrics } from "../scraped-metrics.ts";
import { waitUntil } from "../wait.ts";
import { PrivateNetwork } from "./network.ts";
import { Peers } from "./peers.ts";
import { StuckPeers } from "./stuck-peers.ts";

/** Memory that may stay when everything is over: what the allocator keeps, and code that has been compiled. */
const KEPT_MIB = 40;
const INSTANT = { "model.delay": 0, "model.constant_factor": 0, "model.jitter": 0, "model.warmup_penalty": 1 };
const MANY = { "limits.max_sessions": 12_000, "limits.max_sessions_per_address": 0, "limits.caller_share": 1 };

/** The goals in milliseconds are checked in the long form, which has the machine for itself. */
export const isLong = rounds(0, 1) === 1;

/** Returns why no networks can be made here, and prints it; undefined: they can. */
export async function noNetworks(): Promise<string | undefined> {
  const network = await PrivateNetwork.create();
  if (typeof network === "string") {
    reportMissing(`networks of their own cannot be made here, so no peer loses its network: ${network}`);
    return network;
  }
  await network[Symbol.asyncDispose]();
  return undefined;
}

export async function newNetwork(): Promise<PrivateNetwork> {
  const network = await PrivateNetwork.create();
  if (typeof network === "string") throw new Error(network);
  return network;
}

/** A server that can be looked at, in a network of its own or in this one. */
export class Watched implements AsyncDisposable {
  /** Of its port for HTTP. */
  readonly address: string;
  readonly #executable: Executable;
  readonly #server: ServeProcess;
  readonly #socket: string;
  readonly #before: { readonly rssMib: number; readonly handles: ServeProcess["handles"] };

  static async start(executable: Executable, settings: Settings, place?: PrivateNetwork): Promise<Watched> {
    const socket = join(executable.folder, `admin-${crypto.randomUUID().slice(0, 8)}.sock`);
    const args = place === undefined ? [] : ["--host", "0.0.0.0"];
    const all = { ...INSTANT, ...MANY, "server.admin": `unix:${socket}`, ...settings };
    const server = await executable.serve(all, args, {}, place?.underServer ?? []);
    return new Watched(executable, server, socket, place?.serverAddress ?? "127.0.0.1");
  }

  private constructor(executable: Executable, server: ServeProcess, socket: string, host: string) {
    this.#executable = executable;
    this.#server = server;
    this.#socket = socket;
    this.address = `${host}:${server.port}`;
    this.#before = { rssMib: server.rssMib, handles: server.handles };
  }

  /** MiB of memory that the server has more than at first. */
  get grownMib(): number {
    return this.#server.rssMib - this.#before.rssMib;
  }

  /** The address of another port of it. */
  addressOf(port: number): string {
    return this.address.replace(/\d+$/, String(port));
  }

  async metrics(): Promise<ScrapedMetrics> {
    const response = await fetch("http://localhost/metrics", {
      unix: this.#socket,
      headers: { accept: "text/plain" },
    });
    return new ScrapedMetrics(await response.text());
  }

  /** Connections of a server in a network of its own, from now on. @param address default: that of HTTP */
  stuckPeers(address = this.address): StuckPeers {
    const [, port = ""] = address.split(":");
    return new StuckPeers(this.#server.pid, Number(port));
  }

  async sessions(): Promise<number> {
    return (await this.metrics()).value("streamer_sessions_active");
  }

  /**
   * Sends streams of speech beside peers of these kinds; returns their latency and what went wrong.
   * @param address of the peers; default: that of HTTP
   */
  async beside(kinds: readonly string[], address = this.address): Promise<{ p99: number; problems: unknown }> {
    await using stack = new AsyncDisposableStack();
    const peers = kinds.map((kind) => {
      return stack.use(new Peers(kind, kind.includes("byte by byte") ? 20 : rounds(1, 2), address));
    });
    for (const each of peers) await each.up();
    const [streams, seconds] = [rounds(5, 50), rounds(1, 8)];
    const addr = `ws://${this.address}/api/v1/segmented`;
    const plan = speechPlan({ addr, streams, ramp: 0.5, settle: rounds(0.5, 1), seconds, timeout: 60 });
    const { tally } = await runPlan(plan, [this.#executable.path], {});
    return { p99: quantile(tally.finals, 0.99), problems: { ...tally.problems, missing: tally.missing } };
  }

  /**
   * Waits until the server is as it was at first, and returns a sentence about it. The short form does not wait for what
   * takes longest: Bun closes connections that were cut after up to 16 s, and everything is collected every 30 s.
   */
  async back(): Promise<string> {
    await waitUntil("the end of all sessions", async () => (await this.sessions()) === 0);
    const { descriptors, threads } = this.#before.handles;
    // Connections to the admin socket, and threads of the run-time, may be there at either time.
    const over = () => {
      const now = this.#server.handles;
      return now.descriptors - descriptors <= 2 && now.threads - threads <= 2 && this.grownMib <= KEPT_MIB;
    };
    if (isLong) await waitUntil("the descriptors, threads and memory of before", over);
    const errors = this.#server.err.split("\n").filter((line) => line.includes('"level":"error"'));
    expect(errors).toEqual([]);
    return `${this.grownMib.toFixed(0)} MiB kept`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }
}
