import { Arena } from "../../src/audio/arena.ts";
import type { Traits } from "../../src/dialects/dialect.ts";
import { streamer } from "../../src/dialects/streamer.ts";
import type { Outcome } from "../../src/model/job.ts";
import type { AudioJob, Lane, LaneOwner } from "../../src/pool/lane.ts";
import type { Ended } from "../../src/protocol/ending.ts";
import { parseEvent, type ServerEvent } from "../../src/protocol/events.ts";
import type { Connection } from "../../src/session/connection.ts";
import { openSessionHost, type SessionHost } from "../../src/session/session-host.ts";
import { Session } from "../../src/session/session.ts";
import { Turns } from "../../src/session/turns.ts";
import { Memory } from "../../src/stream/memory.ts";
import type { ServedModel, Services } from "../../src/stream/services.ts";
import { type Logger, openLog } from "../../src/telemetry/log/log.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { untracedConnection } from "../../src/telemetry/tracing/no-tracing.ts";
import { unlimitedAdmission } from "./admission.ts";
import { summarize } from "./event-summary.ts";
import { configure, type Settings } from "./in-process-server.ts";
import { runMicrotasks } from "./microtasks.ts";
import { startRequest } from "./requests.ts";

/** A connection that records what the session sends. */
export class FakeConnection implements Connection {
  readonly events: ServerEvent[] = [];
  readonly binaryMessages: Uint8Array[] = [];
  /** Bytes that the client has not read. */
  buffered = 0;
  /** True: the client does not read, so every message is added to `buffered`. */
  clientStalled = false;
  /** True: every send throws. */
  broken = false;
  paused = false;
  closed: { code: number; reason: string } | undefined;

  send(message: string | Uint8Array): void {
    if (this.broken) throw new Error("the connection is broken");
    if (this.closed !== undefined) throw new Error("a message after the close");
    if (typeof message === "string") this.events.push(parseEvent(message));
    else this.binaryMessages.push(message);
    if (this.clientStalled) this.buffered += message.length;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  close({ code, reason }: Ended): void {
    this.closed ??= { code, reason };
  }

  /** The events in short: `active`, `error no_stream`, `stopped limit`. */
  get summaries(): string[] {
    return this.events.map(summarize);
  }
}

/** A job that the session has submitted and that has no outcome yet. */
interface PendingJob {
  readonly job: AudioJob;
  /** Number of the lane, from 0 in the order in which lanes were opened. */
  readonly lane: number;
  settle(outcome: Outcome): void;
}

/** A session and its connection. */
interface Opened {
  readonly session: Session;
  readonly connection: FakeConnection;
}

/** Largest size of the audio memory of a harness, MiB. */
const MOST_MIB = 256;

/** Sessions without sockets, clock and workers. The test is the client, advances the time and settles the jobs. */
export class SessionHarness implements Disposable {
  /** The time of the sessions, in milliseconds. */
  now = 0;
  /** Milliseconds that pass from one reading of the clock to the next: how long sessions work. */
  readingMs = 0;
  readonly arena: Arena;
  readonly memory: Memory;
  /** Jobs without an outcome, in the order of their submission. */
  readonly pendingJobs: PendingJob[] = [];
  readonly log: Record<string, unknown>[] = [];
  readonly metrics = new ServerMetrics();
  readonly services: Services;
  readonly #models = new Map<string, ServedModel>();
  /** Owners of all lanes, in the order in which lanes were opened. */
  readonly laneOwners: LaneOwner[] = [];
  readonly #log: Logger & Disposable;
  readonly #host: SessionHost;
  /** The tasks of the next turn of the event loop. */
  #nextTurn: (() => void)[] = [];

  /** @param slabs size of the arena; default: that of the setting limits.arena_mb, at most MOST_MIB */
  constructor(settings: Settings = {}, slabs?: number) {
    const config = configure(settings);
    this.arena = new Arena(slabs ?? Math.min(MOST_MIB, config.limits.arena_mb) * Arena.SLABS_PER_MIB);
    this.memory = new Memory(this.arena);
    this.#log = openLog({
      level: "debug",
      write: (line) => this.log.push(JSON.parse(line) as Record<string, unknown>),
    });
    this.services = {
      config,
      arena: this.arena,
      memory: this.memory,
      admission: unlimitedAdmission(this.arena),
      models: this.#models,
      log: this.#log,
      metrics: this.metrics,
      clock: () => (this.now += this.readingMs),
    };
    this.addModel("simulated");
    const turns = new Turns(this.services.clock, (task) => this.#nextTurn.push(task));
    this.#host = openSessionHost(this.services, () => {}, turns);
  }

  /** Adds a model of this name. @param options those that it takes; undefined: all @param more other properties */
  addModel(name: string, options?: readonly string[], more: Partial<ServedModel> = {}): void {
    this.#models.set(name, { ...this.#model(name, options), ...more });
  }

  /** Begins the next turn of the event loop. */
  nextTurn(): void {
    const tasks = this.#nextTurn;
    this.#nextTurn = [];
    for (const task of tasks) task();
  }

  /** Opens a session of the native dialect on `/api/v1/ROUTE`. */
  open(route = "simple", traceparent?: string, traits: Partial<Traits> = {}): Opened {
    const connection = new FakeConnection();
    const request = new Request(`http://localhost/api/v1/${route}`);
    const opened = streamer.open(`/api/v1/${route}`, request, this.services.config);
    const accepted = {
      id: `session-${this.now}`,
      caller: { id: "127.0.0.1", address: "127.0.0.1", limits: { maxSessions: 0 } },
      place: { release: () => undefined },
      opened: { ...opened, traits: { ...opened.traits, ...traits } },
      trace: untracedConnection(traceparent),
    };
    return { session: new Session(connection, accepted, this.services, this.#host), connection };
  }

  /** Opens a session and sends a start for S16_MONO with these fields. */
  start(route = "simple", fields: object = {}): Opened {
    const opened = this.open(route);
    opened.session.receive(startRequest(fields));
    return opened;
  }

  /** Runs the tasks that sessions and the arena have deferred. */
  async runDeferred(): Promise<void> {
    await runMicrotasks();
  }

  /** Settles the n-th pending job with a result whose output is the number of its samples. */
  answer(n = 0, fields: object = {}): void {
    const pending = this.pendingJobs[n];
    if (pending === undefined) throw new Error(`no job ${n} is pending`);
    const output = { count: pending.job.audio.length };
    pending.settle({ status: "ok", output, queueMs: 1, inferMs: 2, worker: 0, batchSize: 1, ...fields });
  }

  /** Settles the n-th pending job with a failure. */
  fail(n = 0, code: "inference_failed" | "inference_timeout" | "worker_crashed" = "inference_failed"): void {
    this.pendingJobs[n]?.settle({ status: "failed", code, message: "a failure of the test", queueMs: 1, inferMs: 2 });
  }

  /** Answers all jobs, also those that are submitted meanwhile. */
  async answerAll(): Promise<void> {
    for (await this.runDeferred(); this.pendingJobs.length > 0; await this.runDeferred()) this.answer();
  }

  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
  }

  get #finalsPending(): number {
    return this.pendingJobs.filter(({ job }) => job.kind === "final").length;
  }

  #model(name: string, options: readonly string[] | undefined): ServedModel {
    const finalsPending = (): number => this.#finalsPending;
    return {
      name,
      ownName: name,
      options,
      generation: 1,
      maxBatch: 1,
      keepsState: false,
      sampleRate: 16_000,
      get finalsPending() {
        return finalsPending();
      },
      lane: (owner) => this.#lane(this.laneOwners.push(owner) - 1),
    };
  }

  #lane(lane: number): Lane {
    let closed = false;
    return {
      submit: (job, settle) => {
        this.arena.retainSpan(job.audio);
        const pending: PendingJob = {
          job,
          lane,
          settle: (outcome) => {
            const index = this.pendingJobs.indexOf(pending);
            if (index < 0) throw new Error("settled twice");
            this.pendingJobs.splice(index, 1);
            this.arena.releaseSpan(job.audio);
            settle(outcome);
          },
        };
        this.pendingJobs.push(pending);
      },
      close: () => {
        if (closed) return;
        closed = true;
        for (const pending of this.pendingJobs.filter((each) => each.lane === lane)) {
          // The test may have settled it by then.
          queueMicrotask(() => {
            if (this.pendingJobs.includes(pending)) pending.settle({ status: "dropped" });
          });
        }
      },
    };
  }
}
