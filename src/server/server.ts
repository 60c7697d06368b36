import { Access } from "../auth/access.ts";
import { SteadyClock } from "../lib/steady-clock.ts";
import { GOODBYE_MS, Sessions } from "../session/sessions.ts";
import { permittedModels } from "../stream/plan.ts";
import type { ServedModel, Services } from "../stream/services.ts";
import { FaultLog } from "../telemetry/log/fault-log.ts";
import { renderMetrics } from "../telemetry/metrics/exposition.ts";
import { type LiveStats, liveStats } from "../telemetry/metrics/live-stats.ts";
import { presetAuthSeries } from "../telemetry/metrics/preset-series.ts";
import { ServerMetrics } from "../telemetry/metrics/server-metrics.ts";
import { NO_TRACING } from "../telemetry/tracing/no-tracing.ts";
import type { AdminHost } from "./admin.ts";
import { admitByAddress } from "./admission.ts";
import type { ArenaTrimmer } from "./arena-trimmer.ts";
import { openAudioMemory } from "./audio-memory.ts";
import { admitByToken } from "./authentication.ts";
import { ConnectionLimit } from "./connections/connection-limit.ts";
import { Doors } from "./doors.ts";
import { Edge } from "./edge/edge.ts";
import { GarbageCollector } from "./gc.ts";
import { describeServer } from "./info.ts";
import { sampleLoad } from "./load-sample.ts";
import { type ModelTier, openModels } from "./models.ts";
import { observeServer } from "./observe-server.ts";
import { publishModels } from "./publish-models.ts";
import { Readiness } from "./readiness.ts";
import type { RoutesHost } from "./routes.ts";
import type { ServerOptions } from "./server-options.ts";
import type { TlsCredentials } from "./tls/credentials.ts";
import { Transports } from "./transports.ts";
import { withResumption } from "./with-resumption.ts";

/** Interval between two checks of the deadlines, which is the accuracy of every time limit. */
const SWEEP_MS = 500;
/** Interval between two looks for clients that have stopped sending, which is the accuracy of `flush_after_ms`. */
const TICK_MS = 100;

/**
 * A server that listens as soon as it is constructed, unless other processes do, and accepts streams once its models are
 * ready.
 */
export class Server {
  readonly #options: ServerOptions;
  readonly #access: Access;
  readonly #services: Services;
  readonly #models: ModelTier;
  /** The models that are loaded, by name. */
  readonly #served = new Map<string, ServedModel>();
  readonly #readiness: Readiness;
  readonly #sessions: Sessions;
  readonly #transports: Transports;
  readonly #runtime: Disposable;
  readonly #connections: ConnectionLimit;
  readonly #trimmer: ArenaTrimmer;
  readonly #garbage: GarbageCollector;
  readonly #edge: Edge;
  readonly #faults: FaultLog;
  #doors: Doors | undefined;
  #tls: TlsCredentials | undefined;
  readonly #timers: readonly Timer[];
  readonly #openedAt: number;
  readonly #handled = (message: string | Uint8Array): void => this.#garbage.add(message);

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#tls = options.tls;
    const { config, log, program, process: member } = options;
    const steadyClock = new SteadyClock(SWEEP_MS);
    const clock = options.clock ?? (() => steadyClock.now());
    const metrics = options.telemetry?.metrics ?? new ServerMetrics();
    this.#access = new Access({ auth: config.auth, log, metrics: metrics.families.auth, shared: member?.access });
    this.#openedAt = clock();
    const { arena, memory, admission, trimmer } = openAudioMemory(config, { log, metrics, clock });
    this.#trimmer = trimmer;
    const services = { config, arena, memory, admission, models: this.#served, log, metrics, clock };
    this.#services = withResumption(services, this.#access.keyring);
    this.#sessions = new Sessions(this.#services, member?.places, member?.calls);
    this.#garbage = new GarbageCollector(metrics, clock);
    this.#faults = new FaultLog(log);
    const transport = { sessions: this.#sessions, faults: this.#faults, clock, handled: this.#handled };
    this.#transports = new Transports({ ...transport, limits: config.limits });
    this.#edge = new Edge({ server: config.server, access: this.#access, tls: () => this.#tls, log, clock });
    this.#connections = new ConnectionLimit({ config, log, metrics, clock });
    // Listens before anything is loaded: a port that is taken is reported at once.
    if (options.process?.listensWhenLoaded !== true) this.#doors = this.#listen();
    this.#models = openModels(config, {
      ...{ arena, log, metrics, programs: program, clock: steadyClock },
      publish: (models) => publishModels(models, this.#models.sizes, this.#served, this.#services),
      refusal: () => this.#readiness.refusal(),
    });
    this.#readiness = new Readiness({ models: this.#models, stuckExitMs: config.limits.stuck_exit_ms, log });
    this.#runtime = observeServer(this.#services, this.#sessions, this.#readiness, program.version);
    if (this.#access.required) presetAuthSeries(metrics);
    this.#timers = [setInterval(() => this.#sweep(), SWEEP_MS), setInterval(() => this.#tick(), TICK_MS)];
  }

  /** `http://HOST:PORT` or `https://HOST:PORT`, with the port that is really listened on; empty before it listens. */
  get url(): string {
    return this.#doors?.url ?? "";
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

  /** The models, which can be reloaded. */
  get models(): Pick<ModelTier, "reload"> {
    return this.#models;
  }

  /** Who may connect. */
  get access(): Access {
    return this.#access;
  }

  /** What the pages for operators show, wherever they are served. */
  get pages(): AdminHost {
    return { ...this.#routesHost(), reload: (model) => this.#models.reload(model) };
  }

  /** The load at the moment. */
  live(): LiveStats {
    return liveStats(this.#services.metrics);
  }

  /** Loads and warms the models. Streams are accepted afterwards. Throws when a model cannot be loaded. */
  async load(): Promise<void> {
    await this.#models.ready;
    this.#sessions.limit = this.#connections.settle(this.#sessions.limit, this.#options.process?.count);
    this.#readiness.check(this.#services.clock());
    this.#readiness.loaded();
    this.#doors ??= this.#listen();
  }

  /**
   * Shuts down gracefully: refuses new connections and finishes running streams (see `Sessions.drain`), then waits until
   * all clients have received that. One of several processes leaves new connections to the others.
   */
  async drain(): Promise<void> {
    const { drain_timeout_ms, finish_ms } = this.#options.config.limits;
    const latest = performance.now() + drain_timeout_ms + finish_ms + GOODBYE_MS;
    this.#readiness.draining();
    if (this.#options.process !== undefined) this.#doors?.stopListening();
    const { size } = this.#sessions;
    await this.#sessions.drain();
    await this.#doors?.waitForPeers(size, Math.min(latest, performance.now() + GOODBYE_MS));
  }

  /** Uses other certificates for new connections. Throws when it cannot; then the earlier ones stay in use. */
  useCredentials(tls: TlsCredentials): void {
    this.#doors?.useCredentials(tls);
    this.#tls = tls;
  }

  /** Ends everything now. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#runtime[Symbol.dispose]();
    await this.#doors?.close();
    await this.#models.close();
    this.#access[Symbol.dispose]();
  }

  #listen(): Doors {
    const { log, process: member } = this.#options;
    const { metrics, clock } = this.#services;
    return new Doors({
      host: this.#routesHost(),
      access: this.#access,
      sessions: this.#sessions,
      transports: this.#transports,
      connections: this.#connections,
      tls: this.#tls,
      shared: member !== undefined,
      process: { faults: this.#faults, clock, log, metrics, handled: this.#handled },
    });
  }

  #tick(): void {
    const now = this.#services.clock();
    this.#faults.contain("tick", () => this.#sessions.tick(now));
    this.#faults.contain("load", () => sampleLoad(this.#services, now));
    this.#faults.contain("connections", () => this.#connections.check(now));
  }

  /** A fault of one part does not keep the others from their turn. */
  #sweep(): void {
    const { metrics, memory, clock } = this.#services;
    const faults = this.#faults;
    const outer = metrics.mainThread.enter("sweep");
    const now = clock();
    faults.contain("tokens", () => {
      void this.#access.check();
      if (this.#access.required) this.#sessions.withdraw((credential) => this.#access.holds(credential));
    });
    faults.contain("sweep", () => this.#sessions.sweep(now));
    faults.contain("socket", () => this.#transports.sweep(now));
    faults.contain("ports", () => this.#doors?.sweep(now));
    faults.contain("memory", () => memory.check(now));
    faults.contain("trim", () => this.#trimmer.check(now));
    faults.contain("descriptors", () => this.#connections.checkDescriptors());
    faults.contain("models", () => this.#models.retire());
    faults.contain("readiness", () => this.#readiness.check(now));
    metrics.mainThread.leave(outer);
    faults.contain("collect", () => this.#garbage.check(now, memory.streams));
  }

  #routesHost(): RoutesHost {
    const { program, config, telemetry, process: member } = this.#options;
    const { metrics } = this.#services;
    const anonymous = admitByAddress({ maxSessions: config.limits.max_sessions_per_address });
    const access = this.#access;
    return {
      version: program.version,
      config,
      edge: this.#edge,
      access,
      admit: this.#options.admit ?? admitByToken(access, config.auth.public_routes, anonymous),
      unready: () => this.#readiness.unready(),
      unavailable: () => this.#readiness.refusal() ?? this.#sessions.full(),
      refusal: (opened, caller) => this.#sessions.refusal(opened, caller),
      models: ({ limits }) => [...permittedModels(this.#served, limits).values()],
      claim: (caller, opened) => this.#readiness.refusal() ?? this.#sessions.claim(caller, opened),
      address: (request) => this.#doors?.address(request) ?? "",
      occupy: (request) => this.#doors?.occupy(request),
      uploads: this.#transports.uploads,
      trace: (request, path) => (telemetry?.tracing ?? NO_TRACING).startConnection(request, path),
      upgrade: (request, headers, accepted) => {
        const bun = this.#doors?.serverOf(request);
        return bun !== undefined && this.#transports.websockets.upgrade(bun, request, headers, accepted);
      },
      refused: (code) => metrics.sessionRefused(code),
      metricsPlace: member?.metricsPlace,
      metrics: (accept) => this.#connections.descriptorsAvailable().then(() => renderMetrics(metrics.registry, accept)),
      describe: () => describeServer(this.#services, this.#sessions, this.#readiness, this.#openedAt),
    };
  }
}
