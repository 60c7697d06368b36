import { type Demand, SCARCE, type Shortage } from "../capacity/demand.ts";
import type { Headroom } from "../capacity/headroom.ts";
import { ProtocolError } from "../protocol/errors.ts";
import { RateLimitedLog, type WarningLog } from "../telemetry/log/rate-limited-log.ts";
import type { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";

/** Limits of the time after which a refused client is told to try again. It grows with the time of the shortage. */
const RETRY_MS = { least: 1_000, most: 10_000 };
/** Refusals that are so close together, in milliseconds, are of one shortage. */
const EPISODE_GAP_MS = 2_000;
/** Work of a refused connection, compared with an accepted one. */
const REFUSED_WORK = 0.3;

/** When a stream is refused: before its connection is upgraded, or at its `start`. */
const STAGES = ["upgrade", "start"] as const;
export type AdmissionStage = (typeof STAGES)[number];

/** Refuses streams for which the server has no room, and reports that. */
export class StreamAdmission {
  readonly headroom: Headroom;
  readonly #metrics: ServerMetrics;
  readonly #log: RateLimitedLog;
  readonly #clock: () => number;
  readonly #random: () => number;
  #connections = 0;
  #since = 0;
  #lastAt = -Infinity;

  /** @param clock returns milliseconds @param random 0 to 1, spreads the clients that come again */
  constructor(
    headroom: Headroom,
    { log, metrics, clock }: { log: WarningLog; metrics: ServerMetrics; clock: () => number },
    random: () => number = Math.random,
  ) {
    this.headroom = headroom;
    this.#metrics = metrics;
    this.#log = new RateLimitedLog(log, { now: clock });
    this.#clock = clock;
    this.#random = random;
    // Prometheus sees the first refusal as an increase from 0.
    for (const resource of SCARCE) {
      for (const stage of STAGES) metrics.families.streams.overloaded.with({ resource, stage });
    }
  }

  /** Work that connections have made so far, in connections. */
  get connections(): number {
    return this.#connections;
  }

  /** Returns why a stream may not begin now; undefined: it may. */
  refusal(demand: Demand, stage: AdmissionStage): ProtocolError | undefined {
    const shortage = this.headroom.shortage(demand);
    if (shortage === undefined) return undefined;
    if (stage === "upgrade") this.#connections += REFUSED_WORK;
    const retryMs = this.#retryMs();
    this.#report(shortage, demand, stage, retryMs);
    const place = { retry_after_ms: retryMs, ...(stage === "start" && { fatal: false }) };
    return new ProtocolError("overloaded", shortage.message, place);
  }

  /** A connection has been accepted, and its first stream may come. Returns a function to call when it has. */
  expect(demand: Demand): () => void {
    this.#connections += 1;
    return this.headroom.expect(demand, this.#clock());
  }

  #retryMs(): number {
    const now = this.#clock();
    if (now - this.#lastAt > EPISODE_GAP_MS) this.#since = now;
    this.#lastAt = now;
    const base = Math.min(RETRY_MS.most, Math.max(RETRY_MS.least, now - this.#since));
    return Math.round(base * (1 + this.#random() / 2));
  }

  #report(shortage: Shortage, { pattern, model }: Demand, stage: AdmissionStage, retry_after_ms: number): void {
    const { resource } = shortage;
    const needed = Number(shortage.needed.toPrecision(3));
    const allowed = Number(shortage.allowed.toPrecision(3));
    this.#metrics.families.streams.overloaded.with({ resource, stage }).add();
    this.#log.warn("overloaded", { resource, needed, allowed, stage, pattern, model, retry_after_ms });
  }
}
