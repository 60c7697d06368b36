import { describe, expect, test } from "bun:test";

import { loadConfig } from "../../../src/config/config.ts";
import type { OpenConnection } from "../../../src/native/connections.ts";
import { ConnectionLimit, peerName } from "../../../src/server/connections/connection-limit.ts";
import { DescriptorWatch } from "../../../src/server/connections/descriptors.ts";
import type { Acceptance, ServedPort } from "../../../src/server/connections/served-port.ts";
import { ServerMetrics } from "../../../src/telemetry/metrics/server-metrics.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** Descriptors that a server without connections has open at first. */
const OWN = 20;

class SimulatedSessions {
  readonly #peers: ReadonlySet<string>;

  constructor(peers: ReadonlySet<string>) {
    this.#peers = peers;
  }

  get size(): number {
    return this.#peers.size;
  }

  peers(): ReadonlySet<string> {
    return this.#peers;
  }
}

/** A server, its operating system and those who connect to it. */
class Simulation implements ServedPort {
  readonly clock = new ManualClock();
  readonly metrics = new ServerMetrics();
  readonly logged: [string, unknown][] = [];
  readonly limit: ConnectionLimit;
  /** Connections by what has become of them. */
  readonly waiting: OpenConnection[] = [];
  open: OpenConnection[] = [];
  readonly ended: OpenConnection[] = [];
  readonly sessions = new Set<string>();
  /** Connections that have been answered and ask for nothing. */
  readonly idle = new Set<OpenConnection>();
  acceptance: Acceptance = "all";
  /** Descriptors that are no connection. */
  own = OWN;
  /** Lists of the connections that were asked for. */
  lists = 0;
  /** What the next list throws. */
  listFault: Error | undefined;
  /** Milliseconds that a list of the connections takes. */
  listMs = 0;
  /** Fewest descriptors that were left while the server was not to accept anything. */
  leastLeft = Infinity;
  #rests = false;
  readonly #descriptors: number;
  #next = 0;

  constructor(descriptors: number, settings: Readonly<Record<string, number | string>> = {}) {
    this.#descriptors = descriptors;
    const sets = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    const { config } = loadConfig({ sets });
    const record = (event: string, fields?: unknown) => void this.logged.push([event, fields]);
    const log = { debug: record, info: record, warn: record, error: record, with: () => log };
    const now = () => this.clock.now();
    const source = {
      limit: () => descriptors,
      open: () => this.own + this.open.length,
      probe: () => {
        if (this.left === 0) throw Object.assign(new Error("open"), { code: "EMFILE" });
      },
    };
    this.limit = new ConnectionLimit({
      config,
      descriptors: new DescriptorWatch(log, now, source),
      log,
      metrics: this.metrics,
      clock: now,
      after: (milliseconds, task) => void this.clock.after(milliseconds, task),
    });
    this.limit.watch(this, new SimulatedSessions(this.sessions));
    this.limit.settle(1);
  }

  get left(): number {
    return this.#descriptors - this.own - this.open.length;
  }

  /** Clients connect, and the server accepts them as far as it may. */
  connect(address: string, count: number, silentMs = 0): OpenConnection[] {
    const made = Array.from({ length: count }, () => ({
      fd: this.#next,
      silentMs,
      address,
      port: 1_000 + this.#next++,
    }));
    this.waiting.push(...made);
    this.#accept();
    return made;
  }

  /** Time passes, with the checks of a server. */
  pass(milliseconds: number): void {
    for (let passed = 0; passed < milliseconds; passed++) {
      this.clock.advance(1);
      if (this.clock.now() % 100 === 0) this.limit.check(this.clock.now());
      if (this.#rests) this.leastLeft = Math.min(this.leastLeft, this.left);
    }
  }

  of(address: string): number {
    return this.open.filter((connection) => connection.address === address).length;
  }

  count(): number {
    return this.open.length;
  }

  list(): readonly OpenConnection[] {
    this.lists++;
    const fault = this.listFault;
    this.listFault = undefined;
    if (fault !== undefined) throw fault;
    this.clock.advance(this.listMs);
    return this.open;
  }

  end(connection: OpenConnection): boolean {
    if (!this.open.includes(connection)) return false;
    this.open = this.open.filter((other) => other !== connection);
    this.ended.push(connection);
    return true;
  }

  endIdle(): void {
    for (const connection of this.idle) this.end(connection);
  }

  accept(which: Acceptance): void {
    this.acceptance = which;
    this.#rests = which === "none";
    this.#accept();
  }

  #accept(): void {
    if (this.acceptance === "none" || this.waiting.length === 0) return;
    this.open.push(...this.waiting.splice(0, this.left));
    if (this.acceptance === "once") this.acceptance = "none";
  }
}

describe("the limit of connections", () => {
  test("ends what one address has beyond its share after a second, and nobody else's", () => {
    const it = new Simulation(1_000, { "limits.max_connections_per_address": 10 });
    const sessions = it.connect("192.0.2.1", 5, 60_000);
    for (const { address, port } of sessions) it.sessions.add(peerName(address, port));
    it.connect("192.0.2.1", 12, 999);
    it.connect("192.0.2.2", 10, 60_000);
    it.pass(100);
    expect(it.ended).toEqual([]);
    it.connect("192.0.2.1", 3, 1_000);
    it.pass(100);
    expect([it.of("192.0.2.1"), it.of("192.0.2.2")]).toEqual([17, 10]);
    expect(sessions.every((each) => it.open.includes(each))).toBe(true);
    expect(it.metrics.families.connections.closed.with({ limit: "address" }).value).toBe(3);
    expect(it.logged).toEqual([
      [
        "connections_closed",
        { limit: "limits.max_connections_per_address", connections: 30, closed: 3, address: "192.0.2.1" },
      ],
    ]);
  });

  test("exempts loopback from the share, unless it is a trusted proxy", () => {
    const share = { "limits.max_connections_per_address": 10 };
    const direct = new Simulation(1_000, share);
    direct.connect("127.0.0.1", 50, 5_000);
    direct.pass(100);
    expect(direct.ended).toEqual([]);
    const proxied = new Simulation(1_000, { ...share, "server.trusted_proxies": "127.0.0.1" });
    proxied.connect("127.0.0.1", 50, 5_000);
    proxied.pass(100);
    expect(proxied.open).toHaveLength(10);
  });

  test("ends idle connections first when there are too many in all, then those of the address with the most", () => {
    const it = new Simulation(1_000, { "limits.max_connections": 40, "limits.max_connections_per_address": 0 });
    const [idle] = it.connect("192.0.2.9", 1);
    if (idle !== undefined) it.idle.add(idle);
    const sessions = it.connect("192.0.2.1", 20);
    for (const { address, port } of sessions) it.sessions.add(peerName(address, port));
    it.connect("192.0.2.2", 4);
    expect(it.limit.isScarce).toBe(false);
    it.connect("127.0.0.1", 16);
    it.pass(100);
    // One too many, and a quarter of all, so that others get in.
    expect([it.of("192.0.2.1"), it.of("192.0.2.2"), it.of("127.0.0.1"), it.of("192.0.2.9")]).toEqual([20, 4, 5, 0]);
    expect(it.limit.isScarce).toBe(true);
    it.pass(100);
    expect(it.limit.isScarce).toBe(false);
    expect(it.metrics.families.connections.closed.with({ limit: "all" }).value).toBe(11);
  });

  test("lets everybody in, and leaves descriptors to others, while one client takes all that it can get", () => {
    const it = new Simulation(128);
    const stranger = "192.0.2.1";
    it.connect(stranger, 1_000);
    expect(it.left).toBe(0);
    it.pass(100);
    it.leastLeft = Infinity;
    let reached = 0;
    for (let round = 0; round < 50; round++) {
      const [other] = it.connect(`198.51.100.${round}`, 1);
      it.connect(stranger, Math.max(0, 1_000 - it.waiting.length));
      for (let waited = 0; waited < 2_000 && other !== undefined && !it.open.includes(other); waited += 20) it.pass(20);
      if (other !== undefined && it.open.includes(other)) reached += 1;
    }
    expect(reached).toBe(50);
    expect(it.leastLeft).toBeGreaterThanOrEqual(16);
    it.waiting.length = 0;
    it.pass(3_000);
    expect([it.acceptance, it.left]).toEqual(["all", expect.any(Number)]);
    expect(it.left).toBeGreaterThanOrEqual(16);
  });

  test("accepts connections again after a fault between two turns", () => {
    const it = new Simulation(128);
    it.connect("192.0.2.1", 1_000);
    it.pass(100);
    it.connect("192.0.2.1", 1_000);
    it.pass(1);
    expect(it.acceptance).not.toBe("all");
    it.waiting.length = 0;
    it.listFault = new Error("no list");
    expect(() => it.pass(40)).toThrow("no list");
    it.pass(10_000);
    expect(it.acceptance).toBe("all");
  });

  test("accepts connections again on the ports whose sockets stay when another one's socket is replaced", () => {
    const it = new Simulation(128);
    it.connect("192.0.2.1", 1_000);
    it.pass(100);
    it.connect("192.0.2.1", 1_000);
    it.pass(1);
    expect(it.acceptance).not.toBe("all");
    it.waiting.length = 0;
    it.limit.watch(it, new SimulatedSessions(it.sessions));
    expect(it.acceptance).toBe("all");
  });

  test("lists connections only when there are too many without a session", () => {
    const it = new Simulation(1_000, { "limits.max_connections_per_address": 10 });
    for (const { address, port } of it.connect("192.0.2.1", 5)) it.sessions.add(peerName(address, port));
    it.connect("192.0.2.1", 10);
    it.pass(1_000);
    expect(it.lists).toBe(0);
    it.connect("192.0.2.1", 1);
    it.pass(100);
    expect(it.lists).toBeGreaterThan(0);
  });

  test("looks less often when a look takes long, but again after two seconds", () => {
    const pauseOf = (listMs: number): number => {
      const it = new Simulation(1_000, { "limits.max_connections_per_address": 10 });
      it.listMs = listMs;
      it.connect("192.0.2.1", 11, 5_000);
      it.pass(100);
      expect(it.ended).toHaveLength(1);
      it.connect("192.0.2.1", 1, 5_000);
      const begun = it.clock.now();
      while (it.ended.length < 2) it.pass(100 - (it.clock.now() % 100));
      return it.clock.now() - listMs - begun;
    };
    expect([pauseOf(0), pauseOf(20), pauseOf(5_000)]).toEqual([100, 480, 2_000]);
  });

  test("counts connections again within ten seconds when the server has opened or closed other descriptors", () => {
    const it = new Simulation(1_000, { "limits.max_connections": 40, "limits.max_connections_per_address": 0 });
    it.connect("192.0.2.1", 5, 5_000);
    it.pass(100);
    it.own += 30;
    it.pass(10_000);
    expect(it.limit.isScarce).toBe(false);
    expect(it.ended).toEqual([]);
    it.own -= 40;
    it.pass(10_000);
    it.connect("192.0.2.1", 36, 5_000);
    it.pass(100);
    expect(it.open).toHaveLength(30);
  });

  test("is what the descriptors allow, of which sessions leave some to others", () => {
    const it = new Simulation(128, { "limits.max_connections": 1_000 });
    expect(it.limit.settle(1_000)).toBe(76);
    const few = new Simulation(1_000, { "limits.max_connections": 40 });
    expect(few.limit.settle(1_000)).toBe(35);
    // Connections that came before everything was open are not what is in use.
    const early = new Simulation(128);
    early.connect("192.0.2.1", 60);
    expect(early.limit.settle(1_000)).toBe(76);
  });

  test("ends nothing any more when the server stops to listen", () => {
    const it = new Simulation(128);
    it.connect("192.0.2.1", 1_000);
    it.pass(100);
    it.limit.stop();
    const { length } = it.ended;
    it.connect("192.0.2.1", 1_000);
    it.pass(1_000);
    expect(it.ended).toHaveLength(length);
  });
});
