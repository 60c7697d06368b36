import { TICKET_MEMORY_MS } from "../../auth/tickets.ts";
import type { Config } from "../../config/config.ts";
import { machineUptime } from "../../lib/machine-uptime.ts";
import { MAX_OWNER } from "../../native/session-table.ts";
import { GOODBYE_MS } from "../../session/sessions.ts";
import type { Logger } from "../../telemetry/log/log.ts";
import type { ProcessState } from "../../telemetry/metrics/families/processes.ts";
import { divideConfig } from "./division.ts";
import type { ServeOrder } from "./messages.ts";
import { ProcessTotals } from "./process-totals.ts";
import { ProcessWatch } from "./process-watch.ts";
import { RestartDelay } from "./restart-delay.ts";
import { type ProcessEnd, ServerChild, type StartFailure, tellOthers } from "./server-child.ts";
import type { SharedTables } from "./shared-tables.ts";

/** Time beyond the limits of a shutdown after which a process is killed. */
const DRAIN_MARGIN_MS = 10_000;

export interface SupervisorOptions {
  readonly config: Config;
  /** Where all processes listen. */
  readonly address: { readonly host: string; readonly port: number };
  /** Processes to run. */
  readonly count: number;
  /** The command line of a process, without its number. */
  readonly command: readonly string[];
  readonly shared: SharedTables;
  readonly log: Logger;
  /** Receives each record of the standard error of a process, and other lines, with their line feeds. */
  readonly relay: (lines: string) => void;
  /** Where the metrics are, as a sentence. */
  readonly metricsPlace: string;
}

/** The place of one process: the process itself, and those that replace it. */
interface Slot {
  readonly number: number;
  readonly delay: RestartDelay;
  config: Config;
  child: ServerChild | undefined;
  restart: Timer | undefined;
  /** A process that is to replace this one is being started. */
  replacing: boolean;
}

/** The processes of a server: starts them, starts those again that end, replaces and drains them. */
export class Supervisor {
  readonly totals: ProcessTotals;
  readonly #options: SupervisorOptions;
  readonly #slots: readonly Slot[];
  /** All processes that live, those that drain included. */
  readonly #children = new Set<ServerChild>();
  readonly #secret = crypto.getRandomValues(new Uint8Array(32));
  readonly #startedAt = machineUptime();
  readonly #watch: ProcessWatch;
  #phase: "starting" | "running" | "draining" = "starting";
  #owner = 0;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#slots = Array.from({ length: options.count }, (_, i) => {
      const { config } = options;
      return {
        number: i + 1,
        delay: new RestartDelay(),
        config,
        child: undefined,
        restart: undefined,
        replacing: false,
      };
    });
    this.totals = new ProcessTotals(() => this.states());
    this.#watch = new ProcessWatch({ children: this.#children, log: options.log, totals: this.totals });
  }

  get children(): ReadonlySet<ServerChild> {
    return this.#children;
  }

  get isDraining(): boolean {
    return this.#phase === "draining";
  }

  /** The state of every process, those that are to be started included. */
  states(): ProcessState[] {
    const waiting = this.#slots.filter(({ restart }) => restart !== undefined).map((): ProcessState => "waiting");
    return [...[...this.#children].flatMap(({ state }) => (state === "ended" ? [] : [state])), ...waiting];
  }

  /** Starts all processes. Resolves when they are ready, or with the reason why one cannot be; then none lives. */
  async start(): Promise<StartFailure | undefined> {
    const children = this.#slots.map((slot) => (slot.child = this.#spawn(slot, slot.config, false)));
    const failure = await firstFailure(children.map(({ started }) => started));
    if (this.#phase === "draining") return undefined;
    if (failure !== undefined) {
      for (const child of this.#children) child.kill();
      await Promise.all([...this.#children].map(({ ended }) => ended));
      return failure;
    }
    this.#phase = "running";
    return undefined;
  }

  /**
   * Replaces all processes by new ones with another configuration, one at a time: the new process is ready before the
   * old one accepts no more connections. Returns false when a new one cannot be started: the others stay as they are.
   */
  async replaceAll(config: Config): Promise<boolean> {
    for (const slot of this.#slots) {
      if (this.#phase !== "running" || !(await this.#replace(slot, config))) return false;
    }
    return true;
  }

  /** Lets all processes finish their streams and end. Those that do not in time are killed. */
  async drain(): Promise<void> {
    this.#phase = "draining";
    for (const slot of this.#slots) cancelRestart(slot);
    for (const child of this.#children) child.drain();
    const longest = Math.max(
      ...this.#slots.map(({ config: { limits } }) => limits.drain_timeout_ms + limits.finish_ms),
    );
    const timer = setTimeout(() => this.kill(), longest + 2 * GOODBYE_MS + DRAIN_MARGIN_MS);
    await Promise.all([...this.#children].map(({ ended }) => ended));
    clearTimeout(timer);
  }

  /** Ends all processes now. */
  kill(): void {
    this.#phase = "draining";
    for (const slot of this.#slots) cancelRestart(slot);
    for (const child of this.#children) child.kill();
  }

  [Symbol.dispose](): void {
    this.kill();
    this.#watch[Symbol.dispose]();
  }

  async #replace(slot: Slot, config: Config): Promise<boolean> {
    const { log } = this.#options;
    slot.replacing = true;
    cancelRestart(slot);
    const next = this.#spawn(slot, config, true);
    const failure = await next.started;
    slot.replacing = false;
    if (failure === undefined) {
      const old = slot.child;
      Object.assign(slot, { child: next, config });
      log.info("process_replaced", { process: slot.number, pid: next.pid, old_pid: old?.pid });
      old?.drain();
      await old?.ended;
      return true;
    }
    if (this.isDraining) return false;
    log.error("replacement_failed", { process: slot.number, reason: failure.message });
    // The old one may have ended while its successor was starting.
    if (slot.child === undefined) this.#scheduleRestart(slot, 0);
    return false;
  }

  #spawn(slot: Slot, config: Config, listensWhenLoaded: boolean): ServerChild {
    const { address, count, command, shared, relay, metricsPlace } = this.#options;
    const part = divideConfig(config, slot.number, count);
    const order: ServeOrder = {
      type: "serve",
      // The name that was resolved to the address stays one that clients may use.
      config: { ...part, server: { ...part.server, ...address, hosts: [...part.server.hosts, part.server.host] } },
      number: slot.number,
      count,
      owner: this.#nextOwner(),
      capacity: shared.sessions.capacity,
      secret: this.#secret,
      startedAt: this.#startedAt,
      tokens: shared.tokens(),
      listensWhenLoaded,
      metricsPlace,
      credentials: shared.credentials(),
    };
    const tables = { tableFd: shared.sessions.fd, ticketsFd: shared.tickets.fd };
    const child = new ServerChild({ command, order, ...tables, relay, others: this.#children });
    this.#children.add(child);
    this.totals.families.starts.with({}).add();
    void child.ended.then((end) => this.#ended(slot, child, end));
    return child;
  }

  #ended(slot: Slot, child: ServerChild, end: ProcessEnd): void {
    const { shared } = this.#options;
    const sessions = shared.sessions.reclaim(child.owner);
    // The tickets that it has used stay used until nobody could use them any more.
    setTimeout(() => shared.tickets.reclaim(child.owner), TICKET_MEMORY_MS).unref();
    this.#children.delete(child);
    tellOthers(this.#children, child.owner, { kind: "gone" });
    this.totals.add(child.metrics);
    const { process, pid } = { process: child.number, pid: child.pid };
    const how = end.signal === null ? { code: end.code } : { signal: end.signal };
    const isCurrent = slot.child === child;
    if (isCurrent) slot.child = undefined;
    if (child.isDraining || this.#phase === "draining") {
      this.#options.log.info("process_ended", { process, pid, ...how });
    } else if (isCurrent && this.#phase === "running") this.#died(slot, child, { ...how, lost_sessions: sessions });
    // Otherwise it could not start, which is reported by the one who waits for that.
  }

  #died(slot: Slot, child: ServerChild, how: Readonly<Record<string, unknown>>): void {
    const cause = child.unresponsive ? "unresponsive" : "signal" in how ? "signal" : "exit";
    this.totals.families.deaths.with({ cause }).add();
    const readyMs = child.readyAt === undefined ? 0 : performance.now() - child.readyAt;
    const restartMs = slot.replacing ? undefined : this.#scheduleRestart(slot, readyMs);
    const reason = child.failure && { reason: child.failure.message };
    const fields = { process: child.number, pid: child.pid, ...how, ...reason, restart_in_ms: restartMs };
    this.#options.log.error("process_died", fields);
  }

  /** Returns the milliseconds until the restart. */
  #scheduleRestart(slot: Slot, readyMs: number): number {
    const delayMs = slot.delay.next(readyMs);
    slot.restart = setTimeout(() => {
      slot.restart = undefined;
      const child = this.#spawn(slot, slot.config, true);
      slot.child = child;
      void child.started.then((failure) => {
        if (failure === undefined) this.#options.log.info("process_ready", { process: slot.number, pid: child.pid });
      });
    }, delayMs);
    return delayMs;
  }

  /** Returns a number that no living process has. */
  #nextOwner(): number {
    const taken = new Set([...this.#children].map(({ owner }) => owner));
    do this.#owner = (this.#owner % MAX_OWNER) + 1;
    while (taken.has(this.#owner));
    return this.#owner;
  }
}

function cancelRestart(slot: Slot): void {
  clearTimeout(slot.restart);
  slot.restart = undefined;
}

/** Resolves with the first failure, or with undefined when all have started. */
async function firstFailure(all: readonly Promise<StartFailure | undefined>[]): Promise<StartFailure | undefined> {
  const failed = Promise.withResolvers<StartFailure | undefined>();
  for (const started of all) void started.then((failure) => failure && failed.resolve(failure));
  return await Promise.race([failed.promise, Promise.all(all).then((each) => each.find(Boolean))]);
}
