import { childEnvironment } from "../../lib/child-environment.ts";
import type { CallNews } from "../../session/call-relay.ts";
import type { MetricSnapshot } from "../../telemetry/metrics/metric-snapshot.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import { relayLines } from "./lines.ts";
import type { Answers, FromProcess, ProcessHealth, ProcessLoad, ServeOrder, ToProcess } from "./messages.ts";

/** How a process ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Why a process could not begin to serve. */
export interface StartFailure {
  /** The exit code of a server with one process. */
  readonly code: number;
  readonly message: string;
}

export interface ServerChildOptions {
  /** The command line of a process, without its number. */
  readonly command: readonly string[];
  readonly order: ServeOrder;
  /** Descriptors of the session table, and of that of used tickets. */
  readonly tableFd: number;
  readonly ticketsFd: number;
  /** Receives each record of its standard error, and other lines, with their line feeds. */
  readonly relay: (lines: string) => void;
  /** All processes that live, which get what it reports about calls. */
  readonly others: Iterable<ServerChild>;
}

/** A process that it started may keep its standard error open; nothing is waited for longer after its end. */
const RELAY_REST_MS = 500;

export type ChildState = "starting" | "ready" | "draining" | "ended";

/** One process of a server, seen by the supervisor. It starts when it is constructed. */
export class ServerChild {
  readonly number: number;
  readonly owner: number;
  readonly pid: number;
  /** Resolves with undefined when the process is ready, else with the reason when it has ended. */
  readonly started: Promise<StartFailure | undefined>;
  /** Resolves when the process has ended and everything that it wrote has been relayed. */
  readonly ended: Promise<ProcessEnd>;
  state: ChildState = "starting";
  /** Time of `performance.now()` at which the process was ready. */
  readyAt: number | undefined;
  /** The newest sign of life. */
  health: ProcessHealth = {};
  /** The newest numbers that it reported. */
  load: ProcessLoad | undefined;
  /** The newest metrics that it reported. */
  metrics: readonly MetricSnapshot[] = [];
  /** Questions in a row that it has not answered. */
  unanswered = 0;
  /** It is killed because it does not answer. */
  unresponsive = false;
  /** It was told to end. */
  isDraining = false;
  /** Why it could not begin to serve, in its own words. */
  failure: StartFailure | undefined;
  readonly #child: Bun.Subprocess<"ignore", "inherit", "pipe">;
  readonly #started = Promise.withResolvers<StartFailure | undefined>();
  readonly #asked = new Map<number, (value: unknown) => void>();
  readonly #others: Iterable<ServerChild>;
  #lastId = 0;

  constructor({ command, order, tableFd, ticketsFd, relay, others }: ServerChildOptions) {
    this.#others = others;
    this.number = order.number;
    this.owner = order.owner;
    this.started = this.#started.promise;
    const [program = "", ...args] = command;
    this.#child = Bun.spawn([program, ...args, String(order.number)], {
      argv0: "streamer",
      // The order has its settings.
      env: childEnvironment(),
      // The last three are TABLE_FD, LAST_LOG_FD and TICKETS_FD.
      stdio: ["ignore", "inherit", "pipe", tableFd, 2, ticketsFd],
      ipc: (message: FromProcess) => this.#receive(message),
      // NaN, which gauges may be, does not survive JSON.
      serialization: "advanced",
    }) as Bun.Subprocess<"ignore", "inherit", "pipe">;
    this.pid = this.#child.pid;
    this.ended = this.#untilEnd(relayLines(this.#child.stderr, relay));
    this.#send(order);
  }

  /**
   * Asks for something. Resolves with undefined when the process does not answer in time, or has ended.
   * @param model to reload; undefined: all
   */
  async ask<What extends keyof Answers>(
    what: What,
    timeoutMs: number,
    model?: string,
  ): Promise<Answers[What] | undefined> {
    if (this.state === "ended") return undefined;
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#asked.set(id, resolve);
    const timer = setTimeout(() => resolve(undefined), timeoutMs);
    this.#send({ type: "ask", id, what, model });
    const value = await promise;
    clearTimeout(timer);
    this.#asked.delete(id);
    return value as Answers[What] | undefined;
  }

  /** Asks for current numbers. Those of before stay when there is no answer in time. */
  async refreshLoad(timeoutMs: number): Promise<void> {
    const load = await this.ask("load", timeoutMs);
    if (load !== undefined) this.load = load;
  }

  /** Asks for the metrics. Those of before stay when there is no answer in time. */
  async refreshMetrics(timeoutMs: number): Promise<void> {
    const metrics = await this.ask("metrics", timeoutMs);
    if (metrics !== undefined) this.metrics = metrics;
  }

  /** Lets the process finish its streams and end. */
  drain(): void {
    if (this.state === "ended") return;
    this.state = "draining";
    this.isDraining = true;
    this.#send({ type: "drain" });
  }

  /** Uses other certificates for new connections. */
  useCredentials(credentials: TlsCredentials): void {
    if (this.state !== "ended") this.#send({ type: "credentials", credentials });
  }

  /** Hands on what another process reports about calls. @param from its owner */
  tellNews(from: number, news: CallNews): void {
    if (this.state !== "ended") this.#send({ type: "calls", from, news });
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #send(message: ToProcess): void {
    try {
      this.#child.send(message);
    } catch {
      // It has ended, which `ended` reports.
    }
  }

  #receive(message: FromProcess): void {
    switch (message.type) {
      case "ready":
        if (this.state === "starting") this.state = "ready";
        // What it answered while it was loading is out of date.
        this.health = {};
        this.readyAt = performance.now();
        return this.#started.resolve(undefined);
      case "draining":
        this.state = "draining";
        return;
      case "failed":
        this.failure = message;
        return;
      case "last":
        this.metrics = message.metrics;
        return;
      case "calls":
        return tellOthers(this.#others, this.owner, message.news);
      case "answer":
        return this.#asked.get(message.id)?.(message.value);
    }
  }

  async #untilEnd(relayed: Promise<void>): Promise<ProcessEnd> {
    await this.#child.exited;
    this.state = "ended";
    for (const resolve of this.#asked.values()) resolve(undefined);
    await Promise.race([relayed, Bun.sleep(RELAY_REST_MS)]);
    const { exitCode, signalCode } = this.#child;
    const message = `the process ended with ${signalCode ?? `exit code ${exitCode}`} before it was ready`;
    this.#started.resolve(this.failure ?? { code: 1, message });
    return { code: exitCode, signal: signalCode === null ? null : String(signalCode) };
  }
}

/** Hands on what a process reports about calls. */
export function tellOthers(children: Iterable<ServerChild>, from: number, news: CallNews): void {
  for (const child of children) if (child.owner !== from) child.tellNews(from, news);
}
