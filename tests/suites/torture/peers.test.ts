import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";

import { speechPlan } from "../../../scripts/bench/support/speech-plan.ts";
import { quantile } from "../../../scripts/bench/support/statistics.ts";
import { runPlan } from "../../../src/commands/bench/parts.ts";
import { type ServeProcess, sharedExecutable } from "../../support/executable.ts";
import type { Settings } from "../../support/in-process-server.ts";
import { PrivateNetwork } from "../../support/peers/network.ts";
import { Peers } from "../../support/peers/peers.ts";
import { StuckPeers } from "../../support/peers/stuck-peers.ts";
import { prove, rounds } from "../../support/proof.ts";
import { reportMissing, testWith } from "../../support/requirements.ts";
import { ScrapedMetrics } from "../../support/scraped-metrics.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these runs take, so that a busy machine does not fail them.
setDefaultTimeout(rounds(1, 1, 10) * 1_800_000);

const MIB = 1024 * 1024;
/** Memory that may stay when everything is over: what the allocator keeps, and code that has been compiled. */
const KEPT_MIB = 40;
/** Garbage of many messages, which the collector lets grow before it begins. */
const GARBAGE_MIB = 200;
/** What a promise gives beyond a limit, in milliseconds. */
const GRACE_MS = 9_000;
const INSTANT = { "model.delay": 0, "model.constant_factor": 0, "model.jitter": 0, "model.warmup_penalty": 1 };
const MANY = { "limits.max_sessions": 12_000, "limits.max_sessions_per_address": 0, "limits.caller_share": 1 };

const executable = await sharedExecutable();
/** Why no networks can be made here; undefined: they can. */
const noNetworks = await PrivateNetwork.create().then(async (network) => {
  if (typeof network === "string") return network;
  await network[Symbol.asyncDispose]();
  return undefined;
});
if (noNetworks !== undefined) {
  reportMissing(`networks of their own cannot be made here, so no peer loses its network: ${noNetworks}`);
}

/** The goals in milliseconds are checked in the long form, which has the machine for itself. */
const isLong = rounds(0, 1) === 1;

/** The short form runs what is mostly waiting side by side. */
const alone = isLong ? test : test.concurrent;
const networked = noNetworks === undefined ? alone : testWith(undefined);

async function newNetwork(): Promise<PrivateNetwork> {
  const network = await PrivateNetwork.create();
  if (typeof network === "string") throw new Error(network);
  return network;
}

/** A server that can be looked at, in a network of its own or in this one. */
class Watched implements AsyncDisposable {
  readonly address: string;
  readonly #server: ServeProcess;
  readonly #socket: string;
  readonly #before: { readonly rssMib: number; readonly handles: ServeProcess["handles"] };

  static async start(settings: Settings, place?: PrivateNetwork): Promise<Watched> {
    const socket = join(executable.folder, `admin-${crypto.randomUUID().slice(0, 8)}.sock`);
    const args = place === undefined ? [] : ["--host", "0.0.0.0"];
    const all = { ...INSTANT, ...MANY, "server.admin": `unix:${socket}`, ...settings };
    const server = await executable.serve(all, args, {}, place?.underServer ?? []);
    const watched = new Watched(server, socket, place?.serverAddress ?? "127.0.0.1");
    return watched;
  }

  private constructor(server: ServeProcess, socket: string, host: string) {
    this.#server = server;
    this.#socket = socket;
    this.address = `${host}:${server.port}`;
    this.#before = { rssMib: server.rssMib, handles: server.handles };
  }

  /** MiB of memory that the server has more than at first. */
  get grownMib(): number {
    return this.#server.rssMib - this.#before.rssMib;
  }

  async metrics(): Promise<ScrapedMetrics> {
    const response = await fetch("http://localhost/metrics", {
      unix: this.#socket,
      headers: { accept: "text/plain" },
    });
    return new ScrapedMetrics(await response.text());
  }

  /** Connections of a server in a network of its own, from now on. */
  stuckPeers(): StuckPeers {
    const [, port = ""] = this.address.split(":");
    return new StuckPeers(this.#server.pid, Number(port));
  }

  async sessions(): Promise<number> {
    return (await this.metrics()).value("streamer_sessions_active");
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

networked("peers whose network is cut are gone within their limit, whatever they were doing", async () => {
  await prove("half_open", async () => {
    await using network = await newNetwork();
    const each = rounds(3, 100);
    const limits = {
      "limits.start_timeout_ms": rounds(1_000, 10_000),
      "limits.idle_timeout_ms": rounds(1_500, 15_000),
      "limits.slow_reader_ms": rounds(1_000, 10_000),
      "limits.finish_ms": rounds(500, 5_000),
    };
    const limit = Math.max(...Object.values(limits)) + limits["limits.finish_ms"];
    await using server = await Watched.start(limits, network);
    await using stack = new AsyncDisposableStack();
    const kinds = [
      "never-starting",
      "started, then silent",
      "frames byte by byte",
      "headers byte by byte",
      "pings without reading",
      "audio without reading",
    ];
    const peers = kinds.map((kind) => stack.use(new Peers(kind, each, server.address, network.underClient)));
    await Promise.all(peers.map((each) => each.up()));
    await network.cut();
    const cut = performance.now();
    await waitUntil("the end of all sessions", async () => (await server.sessions()) === 0);
    const after = performance.now() - cut;
    // Otherwise the kernel of the server keeps what it could not send.
    await network.mend();
    if (isLong) expect(after).toBeLessThanOrEqual(limit + GRACE_MS);
    const left = await server.back();
    return `${each * kinds.length} peers gone ${(after / 1000).toFixed(1)} s after the cut (limit ${limit / 1000} s), ${left}`;
  });
});

networked(
  "peers that read nothing are closed within their limit, with little memory and no errors for their spans",
  async () => {
    await prove("slow_readers", async () => {
      await using network = await newNetwork();
      const count = rounds(30, 1_000);
      const limit = rounds(1_000, 10_000);
      await using server = await Watched.start({ "limits.slow_reader_ms": limit }, network);
      await using peers = new Peers("requests without reading", count, server.address, network.underClient);
      expect(await peers.up()).toBe(count);
      // A thousand peers are not stuck at the same time: the server answers what they send one after the other.
      using stuck = server.stuckPeers();
      let most = 0;
      await waitUntil("the end of all sessions", async () => {
        most = Math.max(most, server.grownMib);
        await Bun.sleep(250);
        return (await server.sessions()) === 0;
      });
      stuck.look();
      const times = stuck.times();
      expect(times).toHaveLength(count);
      const latest = Math.max(...times);
      // No sooner, either: the limit is the time that a client has.
      expect(Math.min(...times)).toBeGreaterThanOrEqual(limit);
      if (isLong) expect(latest).toBeLessThanOrEqual(limit + GRACE_MS);
      expect(most).toBeLessThanOrEqual(count + GARBAGE_MIB);
      const metrics = await server.metrics();
      expect(metrics.value("streamer_sessions_closed_total", { reason: "slow_reader" })).toBe(count);
      // Each has an open span, which no error names.
      expect(metrics.value("streamer_errors_total", { code: "slow_reader" })).toBe(count);
      const left = await server.back();
      const each = (most / count).toFixed(2);
      return `${count} gone ${(latest / 1000).toFixed(1)} s at most after each was stuck (limit ${limit / 1000} s), ${each} MiB each, ${left}`;
    });
  },
);

alone(
  "peers that send all they can and read nothing are held back at their budgets, and leave nothing behind",
  async () => {
    await prove("fast_senders", async () => {
      const count = rounds(8, 100);
      await using server = await Watched.start({ "limits.slow_reader_ms": rounds(1_000, 10_000) });
      let most = 0;
      for (const kind of ["audio without reading", "pings without reading"]) {
        await using peers = new Peers(kind, count, server.address);
        await peers.up();
        for (const end = performance.now() + rounds(1_000, 20_000); performance.now() < end; await Bun.sleep(100)) {
          const metrics = await server.metrics();
          // What the limits allow, and what Bun has read when it is paused.
          expect(metrics.value("streamer_inbox_bytes")).toBeLessThanOrEqual(count * MIB);
          expect(metrics.value("streamer_outbox_bytes")).toBeLessThanOrEqual(count * 2 * MIB);
          most = Math.max(most, server.grownMib);
        }
      }
      // Audio ahead of the model, as floats, is beside what waits.
      expect(most).toBeLessThanOrEqual(4 * count + GARBAGE_MIB);
      return `${count} senders, ${(most / count).toFixed(2)} MiB each at most, ${await server.back()}`;
    });
  },
);

/** Streams of speech beside peers of these kinds; returns their latency and what went wrong. */
async function beside(server: Watched, kinds: readonly string[]): Promise<{ p99: number; problems: unknown }> {
  await using stack = new AsyncDisposableStack();
  const peers = kinds.map((kind) => {
    return stack.use(new Peers(kind, kind.includes("byte by byte") ? 20 : rounds(1, 2), server.address));
  });
  for (const each of peers) await each.up();
  const [streams, seconds] = [rounds(5, 50), rounds(1, 8)];
  const addr = `ws://${server.address}/api/v1/segmented`;
  const plan = speechPlan({ addr, streams, ramp: 0.5, settle: rounds(0.5, 1), seconds, timeout: 60 });
  const { tally } = await runPlan(plan, [executable.path], {});
  return { p99: quantile(tally.finals, 0.99), problems: { ...tally.problems, missing: tally.missing } };
}

/** Goal for the rise of the others' p99, in milliseconds. */
const GOAL_RISE_MS = 20;

const FLOODS = [
  "pings",
  "empty messages",
  "messages of one byte",
  "empty fragments",
  "starts and stops",
  "upgrades",
  "headers byte by byte",
  "bodies byte by byte",
  "frames byte by byte",
];

test("floods of frames, pings, fragments, upgrades, starts and stops, and slow headers, cost others nothing", async () => {
  await prove("floods", async () => {
    await using server = await Watched.start({});
    // The short form has all at once, without the latency: the machine may be busy with other things.
    if (!isLong) {
      const { problems } = await beside(server, FLOODS);
      expect(problems).toEqual({ missing: 0 });
      return `others exact beside ${FLOODS.length} kinds at once, ${await server.back()}`;
    }
    const before = await beside(server, []);
    const rises: { readonly kind: string; readonly ms: number }[] = [];
    for (const kind of FLOODS) {
      const { p99, problems } = await beside(server, [kind]);
      expect({ kind, problems }).toEqual({ kind, problems: { missing: 0 } });
      rises.push({ kind, ms: p99 - before.p99 });
    }
    const left = await server.back();
    // Floods and victims share the processors of the machine: `bun run bench attacks` judges the rise.
    const above = rises.filter(({ ms }) => ms > GOAL_RISE_MS).length;
    const list = rises.map(({ kind, ms }) => `${kind} ${ms.toFixed(1)}`).join(", ");
    return (
      `others exact; p99 alone ${before.p99.toFixed(1)} ms, rises by ms: ${list} ` +
      `(${above} of ${rises.length} above ${GOAL_RISE_MS}, not judged); ${left}`
    );
  });
});

alone("thousands of idle connections cost little, and nothing when they are gone", async () => {
  await prove("idle", async () => {
    const count = rounds(500, 10_000);
    await using server = await Watched.start({ "limits.session_ms": 0 });
    let each = 0;
    {
      await using peers = new Peers("with keep-alives", count, server.address);
      expect(await peers.up()).toBe(count);
      for (
        const end = performance.now() + rounds(1_000, 90_000, 4 * 3_600_000);
        performance.now() < end;
        await Bun.sleep(500)
      ) {
        each = Math.max(each, (server.grownMib * 1024) / count);
      }
      expect(await server.sessions()).toBe(count);
    }
    return `${count} streams idle, ${each.toFixed(0)} KiB each at most, ${await server.back()}`;
  });
});
