import { lookup } from "node:dns/promises";

import { Access } from "../../auth/access.ts";
import { TokenListError } from "../../auth/token-list.ts";
import { MAX_USED_TICKETS } from "../../auth/used-tickets.ts";
import type { Config, EffectiveConfig } from "../../config/config.ts";
import { memoryUsage } from "../../lib/memory-usage.ts";
import { native } from "../../native/library.ts";
import { ReservedPort } from "../../native/reserved-port.ts";
import { MAX_SESSIONS, SessionTable } from "../../native/session-table.ts";
import { divisionWarnings } from "../../server/processes/division.ts";
import { reloadProcesses } from "../../server/processes/reload-processes.ts";
import { liveOfAll, supervisorPages } from "../../server/processes/supervisor-pages.ts";
import { Supervisor } from "../../server/processes/supervisor.ts";
import { ReloadQueue } from "../../server/reload-queue.ts";
import { routeWarnings } from "../../server/route-warnings.ts";
import type { TlsCredentials } from "../../server/tls/credentials.ts";
import type { Logger } from "../../telemetry/log/log.ts";
import { liveStats } from "../../telemetry/metrics/live-stats.ts";
import { ServerMetrics } from "../../telemetry/metrics/server-metrics.ts";
import { otelProblems } from "../../telemetry/tracing/otel-environment.ts";
import { EXIT, ExitError, UsageError } from "../terminal/exit-codes.ts";
import { announce } from "./announce.ts";
import { openConsole, type ServeConsole } from "./console.ts";
import { hasControllingTerminal } from "./controlling-terminal.ts";
import { reserveDialectPorts } from "./dialect-ports.ts";
import { warnOfExposure, warnOfReadableSecrets, warnOfWritableModels } from "./exposure.ts";
import { listenFailure, tokenFailure } from "./listen-failure.ts";
import { ModelWatch } from "./model-watch.ts";
import { openAdmin } from "./open-admin.ts";
import { Reload } from "./reload.ts";
import { shutdownSignal } from "./signals.ts";
import type { ServeOptions } from "./single-server.ts";
import { readCredentials, watchCredentials } from "./tls.ts";
import { surviveUncaught } from "./uncaught.ts";

/** Longest time for the answer of a process to the status line. */
const LOAD_MS = 1_000;
/** Interval between two looks at the token file. */
const CHECK_TOKENS_MS = 500;

export interface SuperviseOptions extends ServeOptions {
  readonly effective: EffectiveConfig;
  /** Processes to run, 2 or more. */
  readonly count: number;
  /** Reloads models when their files change. */
  readonly watch: boolean;
  /** Reads the configuration again. Throws UsageError. */
  readonly reload: () => EffectiveConfig;
}

/**
 * Runs a server with several processes until the first signal, then lets them finish their streams. A second signal ends
 * all of them at once.
 */
export async function supervise(options: SuperviseOptions): Promise<void> {
  native();
  const { count, effective } = options;
  const { config } = effective;
  let credentials = await readCredentials(config);
  // Both are needed before the processes can be started, and show what there is then.
  const started: { supervisor?: Supervisor; reload?: Reload } = {};
  await using console = openConsole(config.log, () => started.supervisor?.totals.families.logDropped.with({}).add());
  const { log } = console;
  surviveUncaught(log);
  const warnings = [
    ...effective.warnings,
    ...otelProblems(process.env),
    ...divisionWarnings(config, count),
    ...routeWarnings(config),
  ];
  for (const message of warnings) log.warn("setting_ignored", { message });
  const address = await resolveHost(config.server);
  using port = reservePort(config.server, address);
  using _dialects = await reserveDialectPorts(config).catch((error: unknown) => {
    throw new ExitError(EXIT.failure, listenFailure(config.server, error));
  });
  using table = SessionTable.create(MAX_SESSIONS);
  using tickets = SessionTable.create(MAX_USED_TICKETS);
  using access = openAccess(config, log);
  await warnOfExposure(config, log);
  warnOfReadableSecrets(effective, log);
  warnOfWritableModels(config, log);
  const startedAt = performance.now();
  const models = new ReloadQueue((model) => {
    return reloadProcesses(() => started.supervisor?.children ?? [], started.reload?.config ?? config, model);
  });
  await using admin = await openAdmin(
    config,
    supervisorPages({
      supervisor: () => started.supervisor,
      table,
      version: options.version,
      config: () => started.reload?.config ?? config,
      uptime: () => (performance.now() - startedAt) / 1000,
      reload: (model) => models.request(model),
    }),
    access,
    log,
  );
  using supervisor = new Supervisor({
    config,
    address: { host: address, port: port.port },
    count,
    command: options.processCommand,
    shared: { sessions: table, tickets, tokens: () => access.text, credentials: () => credentials },
    log,
    relay: (line) => console.relay(line),
    metricsPlace: metricsPlace(count, admin?.url),
  });
  const metrics = supervisor.totals.families.tls;
  const useCredentials = (changed: TlsCredentials): void => {
    credentials = changed;
    for (const child of supervisor.children) child.useCredentials(changed);
  };
  using _watch = watchCredentials({ config, credentials, log, metrics, server: { useCredentials } });
  const reload = new Reload({ supervisor, log, config, load: options.reload });
  Object.assign(started, { supervisor, reload });
  const exit = (code: number): void => {
    supervisor.kill();
    options.exit(code);
  };
  const hangup = hasControllingTerminal() ? undefined : () => void reload.request();
  const stopped = shutdownSignal(log, exit, { hangup });
  showProgress(console, supervisor, count);
  using watch = new DisposableStack();
  const failure = await Promise.race([supervisor.start(), stopped]);
  if (typeof failure === "object") throw new ExitError(failure.code, failure.message);
  if (failure === undefined) {
    await Promise.all([...supervisor.children].map((child) => child.refreshLoad(LOAD_MS)));
    showStatus(console, supervisor, count);
    const url = urlOf(credentials === undefined ? "http" : "https", config.server.host, port.port);
    const { arena_mb } = config.limits;
    const fields = { version: options.version, processes: count, arena_mb, ...(admin && { admin: admin.url }) };
    announce(console, { url, config, fields });
    const print = (line: string): void => console.print(line);
    if (options.watch) watch.use(new ModelWatch({ config, reload: (model) => models.request(model), print }));
  }
  const signal = failure ?? (await stopped);
  log.info("draining", { signal, sessions: table.count() });
  await supervisor.drain();
  log.info("stopped");
}

/** Returns the numeric address of a host: the port is reserved, and the processes listen, at the same one. */
async function resolveHost(server: Config["server"]): Promise<string> {
  try {
    return (await lookup(server.host)).address;
  } catch (error) {
    throw new ExitError(EXIT.failure, listenFailure(server, error));
  }
}

/** Reads the tokens, and reads them again when they change: for the pages for operators, and for new processes. */
function openAccess(config: Config, log: Logger): Access {
  let access: Access;
  try {
    access = new Access({ auth: { ...config.auth, secret_file: "none" }, log });
  } catch (error) {
    throw error instanceof TokenListError ? new UsageError(tokenFailure(error)) : error;
  }
  setInterval(() => void access.check(), CHECK_TOKENS_MS).unref();
  return access;
}

function reservePort(server: Config["server"], address: string): ReservedPort {
  try {
    return new ReservedPort(address, server.port);
  } catch (error) {
    throw new ExitError(EXIT.failure, listenFailure(server, error));
  }
}

function metricsPlace(count: number, admin: string | undefined): string {
  const where = admin?.startsWith("http") === true ? `${admin}/metrics` : admin && `/metrics of ${admin}`;
  return `This port is served by ${count} processes. The metrics of all of them are at ${where ?? "server.admin, which is not set"}.`;
}

function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

function showProgress(console: ServeConsole, supervisor: Supervisor, count: number): void {
  const beginMs = performance.now();
  console.showLoading(() => {
    const seconds = Math.round((performance.now() - beginMs) / 1000);
    return `loading: ${readyOf(supervisor)} of ${count} processes ready, ${seconds} s`;
  });
}

function showStatus(console: ServeConsole, supervisor: Supervisor, count: number): void {
  const none = liveStats(new ServerMetrics());
  console.showStatus({
    live: () => {
      for (const child of supervisor.children) void child.refreshLoad(LOAD_MS);
      // What they answered last.
      return liveOfAll(supervisor.children) ?? none;
    },
    memory: () => {
      const others = [...supervisor.children].reduce((sum, { load }) => sum + (load?.memory ?? 0), 0);
      return memoryUsage().rss + others;
    },
    processes: () => `processes ${readyOf(supervisor)} of ${count}`,
  });
}

function readyOf({ children }: Supervisor): number {
  return [...children].filter(({ state }) => state === "ready").length;
}
