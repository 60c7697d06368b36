import { Arena } from "../audio/arena.ts";
import type { Config } from "../config/config.ts";
import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, SAMPLE_FORMAT_NAMES } from "../lib/sample-format.ts";
import type { Pattern } from "../pipeline/patterns.ts";
import { PATTERNS } from "../pipeline/patterns.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import { PROTOCOL_VERSION } from "../protocol/version.ts";
import { Session } from "../session/session.ts";
import { Memory } from "../stream/memory.ts";
import type { Services } from "../stream/services.ts";
import type { Logger } from "../telemetry/log/log.ts";
import { renderMetrics } from "../telemetry/metrics/exposition.ts";
import { type LiveStats, liveStats } from "../telemetry/metrics/live-stats.ts";
import { presetSeries } from "../telemetry/metrics/preset-series.ts";
import { RuntimeMonitor } from "../telemetry/metrics/runtime-monitor.ts";
import { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import { NO_TRACING } from "../telemetry/tracing/no-tracing.ts";
import type { ConnectionTrace, Tracing } from "../telemetry/tracing/tracing.ts";
import { GarbageCollector } from "./gc.ts";
import { type ModelTier, openModels } from "./models.ts";
import { createApp, type Host } from "./routes.ts";
import { Socket, type SocketData } from "./websocket.ts";

/** How often deadlines are looked at: the accuracy of every time limit. */
const SWEEP_MS = 500;
/** Beside the outbox limit, which is ours and has an error event: Bun drops what is beyond. */
const DROP_MARGIN_BYTES = 64 * 1024 * 1024;
/** At shutdown, the last events and close frames get this long to leave. */
const GOODBYE_MS = 1_000;
/**
 * At shutdown, a client's messages are read for so long after its close frame was sent, which is when Bun 1.4.5 calls a socket closed.
 * If the process ended at once, the kernel would answer those still on their way with a reset, and that overtakes the last results.
 */
const FAREWELL_MS = 500;

const MIB = 1024 * 1024;

export interface ServerOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly version: string;
  /** Where `worker.ts` is. */
  readonly workerUrl: string;
  /** Milliseconds, monotonic. */
  readonly clock?: () => number;
  /** What it is measured with; default: its own. */
  readonly metrics?: ServerMetrics;
  /** Default: nothing is recorded. */
  readonly tracing?: Tracing | undefined;
}

interface Upgrade extends SocketData {
  readonly pattern: Pattern;
  readonly address: string;
  readonly trace: ConnectionTrace;
}

/** A server that listens from its construction on, and takes streams once its models are ready. */
export class Server {
  readonly #options: ServerOptions;
  readonly #services: Services;
  readonly #models: ModelTier;
  readonly #metrics: ServerMetrics;
  readonly #runtime: RuntimeMonitor;
  readonly #sockets = new Set<Socket>();
  readonly #addresses = new Map<string, number>();
  readonly #bun: Bun.Server<Upgrade>;
  readonly #sweeper: Timer;
  readonly #clock: () => number;
  readonly #openedAt: number;
  #phase: "loading" | "ready" | "draining" = "loading";
  #emptied: (() => void) | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    const { config, log } = options;
    this.#clock = options.clock ?? (() => performance.now());
    const metrics = options.metrics ?? new ServerMetrics();
    this.#openedAt = this.#clock();
    this.#metrics = metrics;
    const arena = new Arena((config.limits.arena_mb * MIB) / (Arena.SLAB_SAMPLES * Float32Array.BYTES_PER_ELEMENT));
    const memory = new Memory(arena, () => this.#models.jobs);
    this.#bun = this.#listen(config);
    this.#models = openModels(config, { arena, log, metrics, workerUrl: options.workerUrl });
    this.#services = { config, arena, memory, models: this.#models.served, log, metrics, clock: this.#clock };
    this.#runtime = new RuntimeMonitor({
      metrics,
      log,
      workers: this.#models.workers,
      maxSessions: config.limits.max_sessions,
    });
    metrics.registry.onCollect(() => this.#collect());
    presetSeries(metrics, Object.keys(PATTERNS), this.#models.served.keys());
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  /** `http://HOST:PORT` with the port that was really taken. */
  get url(): string {
    const { hostname = "", port } = this.#bun;
    return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  }

  /** Connections that are open. */
  get sessions(): number {
    return this.#sockets.size;
  }

  /** What is going on now. */
  live(): LiveStats {
    return liveStats(this.#metrics);
  }

  /** Loads and warms the models; streams are taken when it is done. Throws when a model cannot be loaded. */
  async load(): Promise<void> {
    await this.#models.ready;
    if (this.#phase === "loading") this.#phase = "ready";
  }

  /**
   * Takes no new connections and finishes the streams that run, for at most `limits.drain_timeout_ms`; then whatever is left
   * is cut off with its ledger. Returns when all connections are closed.
   */
  async drain(): Promise<void> {
    this.#phase = "draining";
    const { drain_timeout_ms } = this.#services.config.limits;
    const empty = new Promise<void>((resolve) => {
      this.#emptied = resolve;
    });
    for (const socket of this.#sockets) socket.session?.drain();
    const cut = setTimeout(() => {
      for (const socket of this.#sockets) socket.session?.cut();
    }, drain_timeout_ms);
    const give = setTimeout(() => this.#emptied?.(), drain_timeout_ms + GOODBYE_MS);
    if (this.#sockets.size > 0) {
      await empty;
      await Bun.sleep(FAREWELL_MS);
    }
    clearTimeout(cut);
    clearTimeout(give);
  }

  /** Ends everything now. */
  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#runtime[Symbol.dispose]();
    await this.#bun.stop(true);
    await this.#models.close();
  }

  #listen(config: Config): Bun.Server<Upgrade> {
    const app = createApp(this.#host());
    const { log } = this.#options;
    const garbage = new GarbageCollector(this.#metrics, this.#clock);
    return Bun.serve<Upgrade>({
      hostname: config.server.host,
      port: config.server.port,
      development: false,
      // Without it Bun 1.4.5 lets several servers share one port when it is not in development, and nobody is told.
      reusePort: false,
      fetch: (request) => {
        const { mainThread } = this.#metrics;
        const outer = mainThread.enter("http");
        try {
          return app.fetch(request);
        } finally {
          mainThread.leave(outer);
        }
      },
      error: (error) => {
        log.error("request_failed", { error });
        return new Response("the server has a fault of its own; it has been logged\n", { status: 500 });
      },
      websocket: {
        // The limits are ours and have error events; Bun's own lie behind them.
        maxPayloadLength: 2 * Math.max(config.limits.max_message_bytes, config.limits.max_text_bytes),
        backpressureLimit: config.limits.outbox_bytes + DROP_MARGIN_BYTES,
        idleTimeout: 0,
        sendPings: false,
        perMessageDeflate: false,
        open: (ws) => this.#open(ws),
        message: (ws, message) => {
          ws.data.socket?.session?.receive(message);
          garbage.add(message);
        },
        drain: (ws) => ws.data.socket?.drained(),
        close: (ws) => this.#close(ws),
        error: (error) => log.error("socket_failed", { error }),
      },
    });
  }

  #open(ws: Bun.ServerWebSocket<Upgrade>): void {
    const socket = new Socket(ws, this.#clock);
    const { pattern, trace, address } = ws.data;
    this.#metrics.sessionOpened(pattern.name);
    const session = new Session({
      id: crypto.getRandomValues(new Uint8Array(16)).toBase64({ alphabet: "base64url", omitPadding: true }),
      peer: socket,
      pattern,
      services: this.#services,
      trace,
    });
    ws.data.socket = socket;
    socket.attach(session);
    this.#sockets.add(socket);
    this.#addresses.set(address, (this.#addresses.get(address) ?? 0) + 1);
    if (this.#phase === "draining") session.drain();
  }

  #close(ws: Bun.ServerWebSocket<Upgrade>): void {
    const { socket, address } = ws.data;
    if (socket === undefined) return;
    socket.closed();
    this.#sockets.delete(socket);
    const left = (this.#addresses.get(address) ?? 1) - 1;
    if (left > 0) this.#addresses.set(address, left);
    else this.#addresses.delete(address);
    if (this.#sockets.size === 0) this.#emptied?.();
  }

  #sweep(): void {
    const { mainThread } = this.#metrics;
    const outer = mainThread.enter("sweep");
    const now = this.#clock();
    for (const socket of this.#sockets) socket.sweep(now);
    this.#services.memory.check();
    mainThread.leave(outer);
  }

  /** Reads off what the metrics cannot be told: how things stand. */
  #collect(): void {
    const { sessions, buffers, server } = this.#metrics.families;
    const { arena, memory } = this.#services;
    const slabBytes = Arena.SLAB_SAMPLES * Float32Array.BYTES_PER_ELEMENT;
    let [paused, inbox, outbox] = [0, 0, 0];
    for (const { session, buffered } of this.#sockets) {
      if (session?.paused === true) paused += 1;
      inbox += session?.inboxBytes ?? 0;
      outbox += buffered;
    }
    sessions.active.with({}).set(this.#sockets.size);
    sessions.paused.with({}).set(paused);
    buffers.inboxBytes.with({}).set(inbox);
    buffers.outboxBytes.with({}).set(outbox);
    buffers.arenaUsed.with({}).set(arena.used * slabBytes);
    buffers.arenaCapacity.with({}).set(arena.capacity * slabBytes);
    buffers.arenaWaiting.with({}).set(memory.waiting);
    server.ready.with({}).set(this.#phase === "ready" ? 1 : 0);
    const { version } = this.#options;
    server.buildInfo.with({ version, protocol: PROTOCOL_VERSION, bun: Bun.version }).set(1);
  }

  #host(): Host {
    const unready = (): Host["unready"] => {
      if (this.#phase === "ready") return undefined;
      return this.#phase === "draining"
        ? { code: "draining", message: "the server is shutting down" }
        : { code: "not_ready", message: "the models are being loaded" };
    };
    return {
      version: this.#options.version,
      get unready() {
        return unready();
      },
      refusal: (request) => this.#refusal(request),
      trace: (request, { name }) => (this.#options.tracing ?? NO_TRACING).startConnection(request, `/api/v1/${name}`),
      upgrade: (request, pattern, headers, trace) => {
        const address = this.#bun.requestIP(request)?.address ?? "";
        return this.#bun.upgrade(request, { headers, data: { socket: undefined, pattern, address, trace } });
      },
      refused: (code) => this.#metrics.sessionRefused(code),
      metrics: (accept) => renderMetrics(this.#metrics.registry, accept),
      describe: () => this.#describe(),
    };
  }

  #refusal(request: Request): { code: ErrorCode; message: string } | undefined {
    const { max_sessions, max_sessions_per_address } = this.#services.config.limits;
    if (this.#sockets.size >= max_sessions) {
      return { code: "overloaded", message: `all ${max_sessions} sessions are in use` };
    }
    const own = this.#addresses.get(this.#bun.requestIP(request)?.address ?? "") ?? 0;
    if (max_sessions_per_address > 0 && own >= max_sessions_per_address) {
      return {
        code: "too_many_sessions",
        message: `your address has ${own} sessions; allowed: ${max_sessions_per_address}`,
      };
    }
    return undefined;
  }

  #describe(): Record<string, unknown> {
    const { config, models, arena } = this.#services;
    return {
      patterns: Object.keys(PATTERNS),
      models: [...models.values()].map(({ name, sampleRate }) => ({ name, sample_rate: sampleRate })),
      formats: { encodings: SAMPLE_FORMAT_NAMES, sample_rate: { min: MIN_SAMPLE_RATE, max: MAX_SAMPLE_RATE } },
      limits: config.limits,
      sessions: this.#sockets.size,
      arena: { used_slabs: arena.used, slabs: arena.capacity },
      live: { uptime_seconds: Math.floor((this.#clock() - this.#openedAt) / 1000), ...this.live() },
    };
  }
}
