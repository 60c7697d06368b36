import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";

import { codeOf } from "../lib/thrown.ts";
import type { Logger } from "../telemetry/log/log.ts";
import { RateLimitedLog } from "../telemetry/log/rate-limited-log.ts";

/** While no file descriptor is left, this is logged once in this time. */
const LOG_INTERVAL_MS = 300_000;
/** Successful checks in a row after which descriptors count as available: a connection that waits takes the first. */
const RECOVERED_CHECKS = 20;
/** Descriptors that sessions leave over: for health checks and metrics, for new connections, and what models open. */
const RESERVE = 32;

const REMEDY =
  "raise the limit of open files (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile of docker) or lower limits.max_sessions";

/** The operating system, as far as file descriptors go. */
export interface DescriptorSource {
  /** Most descriptors that the process may have open; undefined where it is not known. */
  limit(): number | undefined;
  /** Number of descriptors that are open. Takes time linear in it, and a descriptor: throws when there is none. */
  open(): number;
  /** Opens a file and closes it. Throws when there is no descriptor for it. */
  probe(): void;
}

/**
 * The descriptors of this process. Bun 1.4.5 raises the soft limit to the hard one when it starts.
 */
const processDescriptors: DescriptorSource = {
  limit() {
    try {
      const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
      return soft === undefined ? undefined : Number(soft);
    } catch {
      return undefined;
    }
  },
  open: () => readdirSync("/proc/self/fd").length,
  probe: () => closeSync(openSync("/dev/null", "r")),
};

/**
 * Watch of the file descriptors, of which every connection takes one. Without one, Bun 1.4.5 cannot accept connections,
 * and reports nothing: clients wait, health checks included.
 */
export class DescriptorWatch {
  readonly #log: Logger;
  readonly #source: DescriptorSource;
  readonly #limitedLog: RateLimitedLog;
  /** Read now: later, reading it could need the descriptor that is missing. */
  readonly #limit: number | undefined;
  /** Checks without a failure; undefined if none has failed. */
  #successes: number | undefined;

  /** @param now returns milliseconds, monotonic */
  constructor(log: Logger, now: () => number, source: DescriptorSource = processDescriptors) {
    this.#log = log;
    this.#source = source;
    this.#limitedLog = new RateLimitedLog(log, { now }, LOG_INTERVAL_MS);
    this.#limit = source.limit();
  }

  /**
   * Returns how many of `maxSessions` the process has descriptors for, at least 1, and warns when these are fewer than
   * its share. To be called when everything else is open.
   * @param processes processes that share the sessions
   */
  sessionLimit(maxSessions: number, processes = 1): number {
    if (this.#limit === undefined) return maxSessions;
    const inUse = this.#inUse(this.#limit);
    const left = this.#limit - inUse - RESERVE;
    if (maxSessions <= left) return maxSessions;
    const sessions = Math.max(1, left);
    if (Math.ceil(maxSessions / processes) <= left) return sessions;
    const fields = { limit: this.#limit, in_use: inUse, max_sessions: maxSessions, sessions, remedy: REMEDY };
    this.#log.warn("few_file_descriptors", fields);
    return sessions;
  }

  /** Descriptors that are open; all of them, if none is left to count them. */
  #inUse(limit: number): number {
    try {
      return this.#source.open();
    } catch (error) {
      if (!isLack(codeOf(error))) throw error;
      return limit;
    }
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
