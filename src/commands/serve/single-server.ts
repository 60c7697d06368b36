import { KeyringError } from "../../auth/keyring.ts";
import { TokenListError } from "../../auth/token-list.ts";
import type { EffectiveConfig } from "../../config/config.ts";
import { memoryUsage } from "../../lib/memory-usage.ts";
import { messageOf } from "../../lib/thrown.ts";
import { native } from "../../native/library.ts";
import { routeWarnings } from "../../server/route-warnings.ts";
import type { Program } from "../../server/server-options.ts";
import { Server } from "../../server/server.ts";
import { ServerMetrics } from "../../telemetry/metrics/server-metrics.ts";
import { otelProblems } from "../../telemetry/tracing/otel-environment.ts";
import { openTraceExport } from "../../telemetry/tracing/trace-export.ts";
import { EXIT, ExitError, UsageError } from "../terminal/exit-codes.ts";
import { announce } from "./announce.ts";
import { openConsole } from "./console.ts";
import { hasControllingTerminal } from "./controlling-terminal.ts";
import { warnOfExposure, warnOfReadableSecrets, warnOfWritableModels } from "./exposure.ts";
import { listenFailure, tokenFailure } from "./listen-failure.ts";
import { ModelWatch } from "./model-watch.ts";
import { openAdmin } from "./open-admin.ts";
import { reloadModels } from "./reload-models.ts";
import { shutdownSignal } from "./signals.ts";
import { readCredentials, watchCredentials } from "./tls.ts";
import { surviveUncaught } from "./uncaught.ts";

export interface ServeOptions extends Program {
  /** Ends the process now. */
  readonly exit: (code: number) => void;
  /** The command line of one of several processes, without its number. */
  readonly processCommand: readonly string[];
}

export interface SingleServerOptions extends ServeOptions {
  /** Reloads models when their files change. */
  readonly watch: boolean;
}

/** Serves until the first signal, then shuts down gracefully. A second signal ends the process at once. */
export async function serveSingle(effective: EffectiveConfig, options: SingleServerOptions): Promise<void> {
  const { config, warnings } = effective;
  // Opens the C library: if that fails, it fails now and not with the first stream.
  native();
  const credentials = await readCredentials(config);
  const metrics = new ServerMetrics();
  await using console = openConsole(config.log, () => metrics.families.runtime.logDropped.with({}).add());
  const { log } = console;
  surviveUncaught(log);
  for (const message of [...warnings, ...otelProblems(process.env), ...routeWarnings(config)])
    log.warn("setting_ignored", { message });
  const traceExport = await openTraceExport({
    service: "streamer",
    version: options.version,
    env: process.env,
    log,
    spanCounter: (fate) => metrics.families.server.spans.with({ fate }),
  });
  let server: Server;
  try {
    server = new Server({
      config,
      log,
      program: options,
      telemetry: { metrics, tracing: traceExport?.tracing },
      tls: credentials,
    });
  } catch (error) {
    if (error instanceof TokenListError) throw new UsageError(tokenFailure(error));
    if (error instanceof KeyringError) throw new UsageError(`invalid configuration:\n  ${error.message}`);
    throw new ExitError(EXIT.failure, listenFailure(config.server, error));
  }
  using _watch = watchCredentials({ config, credentials, log, metrics: metrics.families.tls, server });
  await warnOfExposure(config, log);
  warnOfReadableSecrets(effective, log);
  warnOfWritableModels(config, log);
  await using admin = await openAdmin(config, server.pages, server.access, log);
  const reload = (model?: string) => server.models.reload(model);
  const hangup = hasControllingTerminal() ? undefined : () => void reloadModels(reload, log);
  const stopped = shutdownSignal(log, options.exit, { hangup });
  console.showLoading(() => server.loadProgress());
  try {
    if (await loadModels(server, stopped)) {
      console.showStatus({ live: () => server.live(), memory: () => memoryUsage().rss });
      const { arena_mb } = config.limits;
      const fields = { version: options.version, arena_mb, ...(admin && { admin: admin.url }) };
      announce(console, { url: server.url, config, fields });
      using _models = options.watch
        ? new ModelWatch({ config, reload, print: (line) => console.print(line) })
        : undefined;
      const stuck = server.stuck.then((reason) => new ExitError(EXIT.failure, `${reason}; the server exits`));
      const cause = await Promise.race([stopped, stuck]);
      const { sessions } = server;
      if (cause instanceof ExitError) log.error("exiting", { reason: cause.message, sessions });
      else log.info("draining", { signal: cause, sessions });
      await server.drain();
      if (cause instanceof ExitError) throw cause;
    }
  } finally {
    await server.close();
    await traceExport?.close();
  }
  log.info("stopped");
}

/** Loads the models. Returns false if a signal comes first. Throws UsageError if a model cannot be loaded. */
async function loadModels(server: Server, stopped: Promise<string>): Promise<boolean> {
  try {
    return await Promise.race([server.load().then(() => true), stopped.then(() => false)]);
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}
