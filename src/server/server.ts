import { Arena } from "../audio/arena.ts";
import type { Config } from "../config/config.ts";
import { ROUTES } from "../dialects/dialects.ts";
import { SteadyClock } from "../lib/steady-clock.ts";
import { PATTERNS } from "../pipeline/patterns.ts";
import { asyncapi } from "../protocol/asyncapi.ts";
import { GOODBYE_MS, Sessions } from "../session/sessions.ts";
import { Memory } from "../stream/memory.ts";
import type { ServedModel, Services } from "../stream/services.ts";
import type { Logger } from "../telemetry/log/log.ts";
import { renderMetrics } from "../telemetry/metrics/exposition.ts";
import { type LiveStats, liveStats } from "../telemetry/metrics/live-stats.ts";
import { presetModelSeries, presetSeries } from "../telemetry/metrics/preset-series.ts";
import { RuntimeMonitor } from "../telemetry/metrics/runtime-monitor.ts";
import { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import { NO_TRACING } from "../telemetry/tracing/no-tracing.ts";
import type { Tracing } from "../telemetry/tracing/tracing.ts";
import { type Admit, admitByAddress } from "./admission.ts";
import { DescriptorWatch } from "./descriptors.ts";
import { waitForPeers } from "./farewell.ts";
import { collectGauges } from "./gauges.ts";
import { GarbageCollector } from "./gc.ts";
import { describeServer } from "./info.ts";
import { memoryLimits } from "./memory-limits.ts";
import { type ModelTier, openModels } from "./models.ts";
import { Readiness } from "./readiness.ts";
import { createRoutes, type RoutesHost } from "./routes.ts";
import { type SocketData, WebSockets } from "./websocket.ts";

/** Interval between two checks of the deadlines, which is the accuracy of every time limit. */
const SWEEP_MS = 500;
/** Interval between two looks for clients that have stopped sending, which is the accuracy of `flush_after_ms`. */
const TICK_MS = 100;

const MIB = 1024 * 1024;
const SLAB_BYTES = Arena.SLAB_SAMPLES * Float32Array.BYTES_PER_ELEMENT;

/** The WebSocket routes of the native protocol, for its API description. */
const API_CHANNELS = Object.values(PATTERNS).map(({ name, description }) => {
  return { name, address: `/api/v1/${name}`, description };
});

export interface ServerOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly version: string;
  /** URL of `worker.ts`. */
  readonly workerUrl: string;
  /** Returns milliseconds, monotonic. Default: a clock that stands still while the process is frozen. */
  readonly clock?: () => number;
  readonly metrics?: ServerMetrics;
  /** Default: nothing is recorded. */
  readonly tracing?: Tracing | undefined;
  /** Decides who may open a session. Default: everybody, known by network address. */
  readonly admit?: Admit;
}

/** A server that listens as soon as it is constructed, and accepts streams once its models are ready. */
export class Server {
  readonly #options: ServerOptions;
  readonly #services: Services;
  readonly #models: ModelTier;
  /** The models that are loaded, by name. */
  readonly #served = new Map<string, ServedModel>();
  readonly #readiness: Readiness;
  readonly #sessions: Sessions;
  readonly #websockets: WebSockets;
  readonly #runtime: RuntimeMonitor;
  readonly #descriptors: DescriptorWatch;
  readonly #bun: Bun.Server<SocketData>;
  readonly #timers: readonly Timer[];
  readonly #openedAt: number;

  constructor(options: ServerOptions) {
    this.#options = options;
    const { config, log, version } = options;
    const { limits } = config;
    const steadyClock = new SteadyClock(SWEEP_MS);
    const clock = options.clock ?? (() => steadyClock.now());
    const metrics = options.metrics ?? new ServerMetrics();
    this.#openedAt = clock();
    const arena = new Arena((limits.arena_mb * MIB) / SLAB_BYTES);
    const memory = new Memory(arena, memoryLimits(config, arena.capacity, { log, metrics, clock }));
    this.#services = { config, arena, memory, models: this.#served, log, metrics, clock };
    this.#sessions = new Sessions(this.#services);
    const garbage = new GarbageCollector(metrics, clock);
    const handled = (message: string | Uint8Array) => garbage.add(message);
    this.#websockets = new WebSockets({ sessions: this.#sessions, limits, log, clock, handled });
    // Listens before anything is loaded: a port that is taken is reported at once.
    this.#bun = this.#listen();
    this.#models = openModels(config, { arena, log, metrics, workerUrl: options.workerUrl, clock: steadyClock });
    this.#readiness = new Readiness({ models: this.#models, stuckExitMs: limits.stuck_exit_ms, log });
    this.#runtime = new RuntimeMonitor({
      metrics,
      log,
      workers: this.#models.workers,
      maxSessions: () => this.#sessions.limit,
    });
    this.#descriptors = new DescriptorWatch(log, clock);
    metrics.registry.onCollect(() => {
      collectGauges(this.#services, this.#sessions, this.#readiness.unready() === undefined, version);
    });
    presetSeries(metrics, Object.keys(PATTERNS));
    this.#timers = [
      setInterval(() => this.#sweep(), SWEEP_MS),
      setInterval(() => this.#sessions.tick(clock()), TICK_MS),
    ];
  }

  /** `http://HOST:PORT`, with the port that is really listened on. */
  get url(): string {
    const { hostname = "", port } = this.#bun;
    return `http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  }

  /** Resolves with the reason when the process is to end, because threads of a model do not return. */
  get stuck(): Promise<string> {
    return this.#readiness.stuck;
  }

  /** Describes the load of the models while it lasts, for a status line. */
  loadProgress(): string {
    return this.#readiness.loadProgress(this.#services.clock());
  }

  /** Sessions that are open. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** The load at the moment. */
  live(): LiveStats {
    return liveStats(this.#services.metrics);
  }

  /** Loads and warms the models. Streams are accepted afterwards. Throws when a model cannot be loaded. */
  async load(): Promise<void> {
    const { metrics } = this.#services;
    for (const [name, model] of await this.#models.ready) this.#served.set(name, model);
    presetModelSeries(metrics, Object.keys(PATTERNS), this.#served.keys());
    this.#sessions.limit = this.#descriptors.sessionLimit(this.#sessions.limit);
    this.#readiness.loaded();
  }

  /**
   * Shuts down gracefully: refuses new connections and finishes running streams (see `Sessions.drain`), then waits until
   * all clients have received that.
   */
  async drain(): Promise<void> {
    const { drain_timeout_ms, finish_ms } = this.#options.config.limits;
    const latest = performance.now() + drain_timeout_ms + finish_ms + GOODBYE_MS;
    this.#readiness.draining();
    const { size } = this.#sessions;
    await this.#sessions.drain();
    const host = { port: this.#bun.port ?? 0, pendingRequests: () => this.#bun.pendingRequests };
    await waitForPeers(host, size, Math.min(latest, performance.now() + GOODBYE_MS));
  }

  /** Ends everything now. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#runtime[Symbol.dispose]();
    await this.#bun.stop(true);
    await this.#models.close();
  }

  #listen(): Bun.Server<SocketData> {
    const app = createRoutes(this.#routesHost(), ROUTES);
    const { config, log } = this.#options;
    const { mainThread } = this.#services.metrics;
    return Bun.serve<SocketData>({
      hostname: config.server.host,
      port: config.server.port,
      development: false,
      // Without it Bun 1.4.5 lets several servers share one port silently, outside of development.
      reusePort: false,
      fetch: (request) => {
        const outer = mainThread.enter("http");
        try {
          return app.fetch(withAbsoluteUrl(request));
        } finally {
          mainThread.leave(outer);
        }
      },
      error: (error) => {
        log.error("request_failed", { error });
        return new Response("an internal error; it has been logged\n", { status: 500 });
      },
      websocket: this.#websockets.handler,
    });
  }

  #sweep(): void {
    const { metrics, memory, clock } = this.#services;
    const outer = metrics.mainThread.enter("sweep");
    const now = clock();
    this.#sessions.sweep(now);
    this.#websockets.sweep(now);
    memory.check(now);
    this.#descriptors.check(this.#sessions.size);
    this.#readiness.check(now);
    metrics.mainThread.leave(outer);
  }

  #routesHost(): RoutesHost {
    const { version, config, tracing = NO_TRACING } = this.#options;
    const { metrics } = this.#services;
    const admit = this.#options.admit ?? admitByAddress({ maxSessions: config.limits.max_sessions_per_address });
    return {
      version,
      config,
      admit,
      unready: () => this.#readiness.unready(),
      unavailable: () => this.#readiness.refusal() ?? this.#sessions.full(),
      refusal: (caller) => this.#readiness.refusal() ?? this.#sessions.refusal(caller),
      address: (request) => this.#bun.requestIP(request)?.address ?? "",
      trace: (request, path) => tracing.startConnection(request, path),
      upgrade: (request, headers, accepted) => this.#websockets.upgrade(this.#bun, request, headers, accepted),
      refused: (code) => metrics.sessionRefused(code),
      metrics: (accept) => renderMetrics(metrics.registry, accept),
      describe: () => describeServer(this.#services, this.#sessions, this.#openedAt),
      contract: () => asyncapi(version, API_CHANNELS),
    };
  }
}

/**
 * Gives a request a complete URL. Health checks of proxies use HTTP/1.0 without a Host header; Bun 1.4.5 then passes
 * only the path.
 */
function withAbsoluteUrl(request: Request): Request {
  if (request.headers.has("host") || URL.canParse(request.url)) return request;
  // Not resolved as a relative URL: `//x/y` would be the path `/y` of a host `x`.
  return new Request(`http://localhost${request.url}`, request);
}
