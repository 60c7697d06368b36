import { Arena } from "../../src/audio/arena.ts";
import { streamer } from "../../src/dialects/streamer.ts";
import type { Outcome } from "../../src/model/job.ts";
import type { AudioJob, Lane, LaneOwner } from "../../src/pool/lane.ts";
import type { Ended } from "../../src/protocol/ending.ts";
import { parseEvent, type ServerEvent } from "../../src/protocol/events.ts";
import type { Connection } from "../../src/session/connection.ts";
import { Session } from "../../src/session/session.ts";
import { Memory } from "../../src/stream/memory.ts";
import type { ServedModel, Services } from "../../src/stream/services.ts";
import { type Logger, openLog } from "../../src/telemetry/log/log.ts";
import { ServerMetrics } from "../../src/telemetry/metrics/server-metrics.ts";
import { untracedConnection } from "../../src/telemetry/tracing/no-tracing.ts";
import { configure, type Settings } from "./in-process-server.ts";
import { S16_MONO } from "./requests.ts";

/** A connection whose client is the test. */
export class FakeConnection implements Connection {
  readonly events: ServerEvent[] = [];
  readonly binaryMessages: Uint8Array[] = [];
  /** Bytes that the client has not read. */
  buffered = 0;
  /** Adds what is sent to `buffered`, as a client does that reads nothing. */
  stuck = false;
  /** Every send throws. */
  broken = false;
  paused = false;
  pauses = 0;
  closed: { code: number; reason: string } | undefined;

  send(message: string | Uint8Array): void {
    if (this.broken) throw new Error("the connection is broken");
    if (this.closed !== undefined) throw new Error("a message after the close");
    if (typeof message === "string") this.events.push(parseEvent(message));
    else this.binaryMessages.push(message);
    if (this.stuck) this.buffered += message.length;
  }

  pause(): void {
    this.paused = true;
    this.pauses += 1;
  }

  resume(): void {
    this.paused = false;
  }

  close({ code, reason }: Ended): void {
    this.closed ??= { code, reason };
  }

  /** `active`, `error no_stream`, ...: the story in words. */
  get story(): string[] {
    return this.events.map((event) =>
      event.type === "error" || event.type === "warning"
        ? `${event.type} ${event.code}`
        : event.type === "stopped"
          ? `stopped ${event.reason}`
          : event.type === "segment" && event.is_final === false
            ? "interim"
            : event.type,
    );
  }
}

/** A piece of work that waits for the test to say what became of it. */
export interface Submitted {
  readonly work: AudioJob;
  readonly lane: number;
  settle(outcome: Outcome): void;
}

/** Sessions on a server without sockets, time and workers: the test plays all three. */
export class SessionHarness implements Disposable {
  now = 0;
  readonly arena: Arena;
  readonly memory: Memory;
  /** AudioJob without an outcome, in the order of its coming. */
  readonly work: Submitted[] = [];
  readonly log: Record<string, unknown>[] = [];
  readonly metrics = new ServerMetrics();
  readonly services: Services;
  readonly #log: Logger & Disposable;
  /** Owners of the lanes that were opened, in order. */
  readonly owners: LaneOwner[] = [];
  #lanes = 0;

  constructor(keys: Settings = {}, slabs?: number) {
    const config = configure(keys);
    this.arena = new Arena(slabs ?? config.limits.arena_mb * 64);
    this.memory = new Memory(this.arena, () => this.work.filter(({ work }) => work.kind === "final").length);
    this.#log = openLog({
      level: "debug",
      write: (line) => this.log.push(JSON.parse(line) as Record<string, unknown>),
    });
    this.services = {
      config,
      arena: this.arena,
      memory: this.memory,
      models: new Map([["simulated", this.#model()]]),
      log: this.#log,
      metrics: this.metrics,
      clock: () => this.now,
    };
  }

  open(route = "simple", traceparent?: string): { session: Session; connection: FakeConnection } {
    const connection = new FakeConnection();
    const request = new Request(`http://localhost/api/v1/${route}`);
    const accepted = {
      id: `session-${this.now}`,
      caller: { id: "127.0.0.1", address: "127.0.0.1", limits: { maxSessions: 0 } },
      opened: streamer.open(`/api/v1/${route}`, request, this.services.config),
      trace: untracedConnection(traceparent),
    };
    return { session: new Session(connection, accepted, this.services), connection };
  }

  /** A session with a stream. */
  start(route = "simple", fields: object = {}): { session: Session; connection: FakeConnection } {
    const opened = this.open(route);
    opened.session.receive(JSON.stringify({ request: "start", format: S16_MONO, ...fields }));
    return opened;
  }

  /** Lets what is to happen at once happen. */
  async rest(): Promise<void> {
    for (let i = 0; i < 50; i++) await Promise.resolve();
  }

  /** The model has the answer to the n-th piece that waits: the number of its samples. */
  answer(n = 0, fields: object = {}): void {
    const submitted = this.work[n];
    if (submitted === undefined) throw new Error(`nothing waits at ${n}`);
    const output = { count: submitted.work.audio.length };
    submitted.settle({ status: "ok", output, queueMs: 1, inferMs: 2, worker: 0, batchSize: 1, ...fields });
  }

  fail(n = 0, code: "inference_failed" | "inference_timeout" | "worker_crashed" = "inference_failed"): void {
    this.work[n]?.settle({ status: "failed", code, message: "as the test wants", queueMs: 1, inferMs: 2 });
  }

  /** Answers everything, also what comes of it. */
  async answerAll(): Promise<void> {
    for (await this.rest(); this.work.length > 0; await this.rest()) this.answer();
  }

  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
  }

  #model(): ServedModel {
    const { work } = this;
    const finals = (): number => work.filter((each) => each.work.kind === "final").length;
    return {
      name: "simulated",
      keepsState: false,
      sampleRate: 16_000,
      get finalsPending() {
        return finals();
      },
      lane: (owner) => {
        this.owners.push(owner);
        return this.#lane(this.#lanes++);
      },
    };
  }

  #lane(lane: number): Lane {
    let closed = false;
    return {
      submit: (work, settle) => {
        this.arena.retainSpan(work.audio);
        const submitted: Submitted = {
          work,
          lane,
          settle: (outcome) => {
            const at = this.work.indexOf(submitted);
            if (at < 0) throw new Error("settled twice");
            this.work.splice(at, 1);
            this.arena.releaseSpan(work.audio);
            settle(outcome);
          },
        };
        this.work.push(submitted);
      },
      close: () => {
        if (closed) return;
        closed = true;
        for (const submitted of this.work.filter((each) => each.lane === lane)) {
          queueMicrotask(() => submitted.settle({ status: "dropped" }));
        }
      },
    };
  }
}
