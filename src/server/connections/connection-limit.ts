import type { Config } from "../../config/config.ts";
import { isLoopbackAddress } from "../../lib/ip-address.ts";
import { IpRanges } from "../../lib/ip-ranges.ts";
import type { OpenConnection } from "../../native/connections.ts";
import type { Logger } from "../../telemetry/log/log.ts";
import { RateLimitedLog } from "../../telemetry/log/rate-limited-log.ts";
import type { ServerMetrics } from "../../telemetry/metrics/server-metrics.ts";
import { DescriptorWatch, HELD_BACK } from "./descriptors.ts";
import { chooseExcess, mostFrequentAddress } from "./excess.ts";
import type { ServedPort } from "./served-port.ts";

/** Part of all connections that is freed when there are too many, so that others get in for a while. */
const FREED = 1 / 4;
/** Part of all connections that sessions leave to others. */
const SPARED = 1 / 8;
/** Part of all connections from which on they are few. */
const FEW_LEFT = 3 / 4;
/** Time that the server gets to accept what waits, and time between two such turns, for what else needs descriptors. */
const TURN_MS = 2;
const REST_MS = 18;
/** Time for which enough descriptors are left, after which all connections are accepted again. */
const RECOVERED_MS = 2_000;
/** A look at thousands of connections takes milliseconds: the next one waits for so many times as long. */
export const COST_SHARE = 20;
/** A look that takes long, as on a machine that is suspended meanwhile, does not put off the next one for longer. */
const LONGEST_PAUSE_MS = 2_000;
/** Time after which the connections are counted again: what else has descriptors may have got more of them, or fewer. */
const RECOUNT_MS = 10_000;
/** Connections that are counted for a page of metrics; of more, the descriptors are. */
const COUNTED = 1_000;
const WARNING_INTERVAL_MS = 10_000;

/** The connections that have become sessions. */
export interface SessionConnections {
  readonly size: number;
  /** Their peers, as `peerName` spells them. */
  peers(): ReadonlySet<string>;
}

const NO_SESSIONS: SessionConnections = { size: 0, peers: () => new Set() };

export interface ConnectionLimitOptions {
  readonly config: Pick<Config, "limits" | "server">;
  /** Default: those of this process. */
  readonly descriptors?: DescriptorWatch | undefined;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  /** Returns milliseconds, monotonic. */
  readonly clock: () => number;
  /** Calls back after some milliseconds. Default: the timer of the system. */
  readonly after?: (milliseconds: number, task: () => void) => void;
}

/** Joins the sessions of several transports. */
export function joinSessions(transports: readonly SessionConnections[]): SessionConnections {
  return {
    get size() {
      return transports.reduce((sum, { size }) => sum + size, 0);
    },
    peers: () => new Set(transports.flatMap((transport) => [...transport.peers()])),
  };
}

/** Spells the client's end of a connection. @param address in canonical form */
export function peerName(address: string, port: number): string {
  return `${address} ${port}`;
}

/**
 * Limit of the connections to the ports for clients, of one address and in all, so that those who open none or many
 * sessions leave file descriptors to everybody else. Bun 1.4.5 has no such limit: it accepts whatever waits, then this
 * ends what is too much. When descriptors run out all the same, because many have come between two looks, connections
 * are accepted in turns, so that others find a descriptor in between.
 */
export class ConnectionLimit {
  readonly #options: ConnectionLimitOptions;
  readonly #log: RateLimitedLog;
  readonly #descriptors: DescriptorWatch;
  readonly #proxies: IpRanges;
  #all: number;
  #port: ServedPort | undefined;
  #sessions: SessionConnections = NO_SESSIONS;
  /** Fewest descriptors seen, since the last count, that are no connection of the port. */
  #others = 0;
  /** Connections, at most. */
  #connections = 0;
  #nextLookAt = 0;
  #nextCountAt = 0;
  #isStopped = false;
  /** Connections are accepted in turns, and since when there are enough descriptors again. Undefined: all are. */
  #turns: { recovering: number | undefined } | undefined;

  constructor(options: ConnectionLimitOptions) {
    const { config, log, clock, metrics } = (this.#options = options);
    this.#log = new RateLimitedLog(log, { now: clock }, WARNING_INTERVAL_MS);
    this.#descriptors = options.descriptors ?? new DescriptorWatch(log, clock);
    this.#proxies = new IpRanges(config.server.trusted_proxies);
    this.#all = config.limits.max_connections;
    metrics.registry.onCollect(() => {
      const open = this.#connections > COUNTED ? this.#connections : this.#count();
      metrics.families.connections.open.with({}).set(open);
    });
  }

  /** Few connections are left: an answer is to end its connection. */
  get isScarce(): boolean {
    return this.#turns !== undefined || this.#connections > this.#all * FEW_LEFT;
  }

  /**
   * Limits the connections to a port from now on. To be called again when its listening socket has changed.
   * @param sessions those of its connections that have become sessions
   */
  watch(port: ServedPort, sessions: SessionConnections): void {
    this.#port = port;
    this.#sessions = sessions;
    this.#others = this.#descriptors.open() - port.count();
    // Sockets that have not changed would stay as the last turn has left them.
    if (this.#turns !== undefined) port.accept("all");
    this.#turns = undefined;
  }

  /** Limits nothing any more: the server is to accept no more connections. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Lowers the limit to what there are descriptors for. Returns how many of `maxSessions` can be open. To be called when
   * everything else is open. @param processes processes that share the sessions
   */
  settle(maxSessions: number, processes?: number): number {
    const descriptors = this.#descriptors;
    const connections = this.#count();
    this.#all = descriptors.connectionLimit(this.#all, connections);
    this.#others = descriptors.open() - connections;
    const sessions = descriptors.sessionLimit(maxSessions, processes, connections);
    return Math.max(1, Math.min(sessions, this.#all - Math.min(HELD_BACK, Math.ceil(this.#all * SPARED))));
  }

  /** Ends what is too much. To be called about ten times a second. @param now milliseconds of the clock */
  check(now: number): void {
    if (this.#port === undefined || this.#isStopped || now < this.#nextLookAt) return;
    const takesTurns = this.#turns !== undefined;
    this.#look(this.#port, now);
    if (!takesTurns && this.#turns !== undefined) this.#turn(this.#port);
  }

  /** Waits a moment for file descriptors, for a page that needs some. */
  async descriptorsAvailable(): Promise<void> {
    await this.#descriptors.available();
  }

  /** Reports a lack of file descriptors, and its end. To be called a few times a second. */
  checkDescriptors(): void {
    this.#descriptors.check(this.#sessions.size);
  }

  #count(): number {
    return this.#port?.count() ?? 0;
  }

  #look(port: ServedPort, now: number): void {
    const { config, clock } = this.#options;
    const descriptors = this.#descriptors;
    const begun = clock();
    const left = descriptors.left();
    if (now >= this.#nextCountAt) {
      this.#others = descriptors.open() - port.count();
      this.#nextCountAt = now + RECOUNT_MS;
    }
    this.#connections = Math.max(0, descriptors.open() - this.#others);
    const share = config.limits.max_connections_per_address;
    const isBeyondShare = share > 0 && this.#connections - this.#sessions.size > share;
    if (this.#connections > this.#all || left < HELD_BACK || isBeyondShare) this.#endExcess(port, left);
    if (left < HELD_BACK / 2) this.#turns = { recovering: undefined };
    else if (left < HELD_BACK && this.#turns !== undefined) this.#turns.recovering = undefined;
    else if (this.#turns !== undefined) this.#turns.recovering ??= now;
    const ended = clock();
    this.#nextLookAt = ended + Math.min(LONGEST_PAUSE_MS, COST_SHARE * (ended - begun));
  }

  #endExcess(port: ServedPort, left: number): void {
    const { config } = this.#options;
    let open = port.list();
    const tooMany = Math.max(open.length - this.#all, HELD_BACK - left);
    if (tooMany > 0) {
      port.endIdle();
      open = port.list();
    }
    this.#others = Math.min(this.#others, this.#descriptors.open() - open.length);
    const peers = this.#sessions.peers();
    const others = open.filter(({ address, port }) => !peers.has(peerName(address, port)));
    const excess = chooseExcess(others, {
      perAddress: config.limits.max_connections_per_address,
      isExempt: (address) => isLoopbackAddress(address) && !this.#proxies.has(address),
      surplus: tooMany > 0 ? tooMany + Math.ceil(this.#all * FREED) : 0,
    });
    for (const { cause, connections } of excess) {
      const ended = connections.filter((connection) => port.end(connection));
      if (ended.length > 0) this.#report(cause, ended, open.length);
    }
  }

  #report(limit: "address" | "all", ended: readonly OpenConnection[], open: number): void {
    this.#options.metrics.families.connections.closed.with({ limit }).add(ended.length);
    const key = limit === "all" ? "limits.max_connections" : "limits.max_connections_per_address";
    const address = mostFrequentAddress(ended);
    this.#log.warn("connections_closed", { limit: key, connections: open, closed: ended.length, address });
  }

  /** Lets the server accept what waits now, then nothing for a while, again and again until there are descriptors. */
  #turn(port: ServedPort): void {
    if (this.#isStopped || port !== this.#port) return;
    const { clock, after = afterSystemTime } = this.#options;
    const { recovering } = this.#turns ?? {};
    if (this.#turns === undefined || (recovering !== undefined && clock() - recovering >= RECOVERED_MS)) {
      this.#turns = undefined;
      return port.accept("all");
    }
    port.accept(this.#descriptors.left() > 0 ? "once" : "none");
    after(TURN_MS, () => {
      if (this.#isStopped || port !== this.#port) return;
      port.accept("none");
      try {
        this.#look(port, clock());
      } finally {
        // Without a next turn nothing would be accepted any more.
        after(Math.max(REST_MS, this.#nextLookAt - clock()), () => this.#turn(port));
      }
    });
  }
}

function afterSystemTime(milliseconds: number, task: () => void): void {
  setTimeout(task, milliseconds);
}
