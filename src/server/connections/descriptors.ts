import { closeSync, openSync, readdirSync } from "node:fs";

import { descriptorLimit } from "../../lib/descriptors.ts";
import { codeOf } from "../../lib/thrown.ts";
import { openDescriptors } from "../../native/connections.ts";
import type { Logger } from "../../telemetry/log/log.ts";
import { RateLimitedLog } from "../../telemetry/log/rate-limited-log.ts";

/** While no file descriptor is left, this is logged once in this time. */
const LOG_INTERVAL_MS = 300_000;
/** Successful checks in a row after which descriptors count as available: a connection that waits takes the first. */
const RECOVERED_CHECKS = 20;
/** Descriptors that sessions leave over: for health checks and metrics, for new connections, and what models open. */
const RESERVE = 32;
/** Descriptors that all connections leave over: for the address for operators, new workers, and what models open. */
export const HELD_BACK = 16;
/** Descriptors that are enough for what is short-lived, and how long, and how often, they are waited for. */
const FEW = 4;
const AVAILABLE_MS = 500;
const WAIT_MS = 5;

const REMEDY =
  "raise the limit of open files (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile of docker) or lower limits.max_sessions";

/** The operating system, as far as file descriptors go. */
export interface DescriptorSource {
  /** Most descriptors that the process may have open; undefined where it is not known. */
  limit(): number | undefined;
  /** Number of descriptors that are open. Before Linux 6.2 it takes a descriptor: throws when there is none. */
  open(): number;
  /** Opens a file and closes it. Throws when there is no descriptor for it. */
  probe(): void;
}

/** The descriptors of this process. */
export const PROCESS_DESCRIPTORS: DescriptorSource = {
  limit: descriptorLimit,
  open: () => openDescriptors() ?? readdirSync("/proc/self/fd").length,
  probe: () => closeSync(openSync("/dev/null", "r")),
};

/**
 * Watch of the file descriptors, of which every connection takes one. Without one, Bun 1.4.5 cannot accept connections,
 * and reports nothing: clients wait, health checks included.
 */
export class DescriptorWatch {
  readonly #log: Pick<Logger, "info" | "warn" | "error">;
  readonly #source: DescriptorSource;
  readonly #limitedLog: RateLimitedLog;
  /** Read now: later, reading it could need the descriptor that is missing. */
  readonly #limit: number | undefined;
  /** Checks without a failure; undefined if none has failed. */
  #successes: number | undefined;

  /** @param now returns milliseconds, monotonic */
  constructor(
    log: Pick<Logger, "info" | "warn" | "error">,
    now: () => number,
    source: DescriptorSource = PROCESS_DESCRIPTORS,
  ) {
    this.#log = log;
    this.#source = source;
    this.#limitedLog = new RateLimitedLog(log, { now }, LOG_INTERVAL_MS);
    this.#limit = source.limit();
  }

  /**
   * Returns how many of `maxSessions` the process has descriptors for, at least 1, and warns when these are fewer than
   * its share. To be called when everything else is open.
   * @param processes processes that share the sessions
   * @param connections those of clients that are open already
   */
  sessionLimit(maxSessions: number, processes = 1, connections = 0): number {
    if (this.#limit === undefined) return maxSessions;
    const inUse = this.open() - connections;
    const left = this.#limit - inUse - RESERVE;
    if (maxSessions <= left) return maxSessions;
    const sessions = Math.max(1, left);
    if (Math.ceil(maxSessions / processes) <= left) return sessions;
    const fields = { limit: this.#limit, in_use: inUse, max_sessions: maxSessions, sessions, remedy: REMEDY };
    this.#log.warn("few_file_descriptors", fields);
    return sessions;
  }

  /**
   * Returns how many of `maxConnections` the process has descriptors for, at least 1. To be called when everything else
   * is open. @param connections those of clients that are open already
   */
  connectionLimit(maxConnections: number, connections: number): number {
    return Math.max(1, Math.min(maxConnections, this.left() + connections - HELD_BACK));
  }

  /** Descriptors that are open; all of them, if none is left to count them. */
  open(): number {
    try {
      return this.#source.open();
    } catch (error) {
      if (!isLack(codeOf(error))) throw error;
      return this.#limit ?? 0;
    }
  }

  /** Descriptors that are left; Infinity where the limit is not known. 0 as well when the machine has none. */
  left(): number {
    try {
      this.#source.probe();
    } catch (error) {
      if (isLack(codeOf(error))) return 0;
    }
    return this.#limit === undefined ? Infinity : Math.max(0, this.#limit - this.open());
  }

  /** Waits until there is a descriptor for something else than connections, for half a second at most. */
  async available(): Promise<void> {
    for (let waited = 0; waited < AVAILABLE_MS && this.left() < FEW; waited += WAIT_MS) await Bun.sleep(WAIT_MS);
  }

  /** Checks whether a connection could be accepted. To be called a few times a second. */
  check(sessions: number): void {
    try {
      this.#source.probe();
    } catch (error) {
      const code = codeOf(error);
      if (!isLack(code)) return;
      this.#successes = 0;
      this.#limitedLog.warn("no_file_descriptors", { code, limit: this.#limit, sessions, remedy: REMEDY });
      return;
    }
    if (this.#successes === undefined || ++this.#successes < RECOVERED_CHECKS) return;
    this.#successes = undefined;
    this.#log.info("file_descriptors_available", { sessions });
  }
}

/** EMFILE: the limit of the process; ENFILE: that of the machine. */
function isLack(code: string | undefined): boolean {
  return code === "EMFILE" || code === "ENFILE";
}
