import type { ArgsDef, CommandDef } from "citty";

import { ConfigError, type EffectiveConfig, formatConfig, loadConfig } from "../../config/config.ts";
import { messageOf } from "../../lib/thrown.ts";
import { describeModelSettings, validateModelSettings } from "../../model/models.ts";
import { native } from "../../native/library.ts";
import { type Program, Server } from "../../server/server.ts";
import { ServerMetrics } from "../../telemetry/metrics/server-metrics.ts";
import { otelProblems } from "../../telemetry/tracing/otel-environment.ts";
import { openTraceExport } from "../../telemetry/tracing/trace-export.ts";
import { EXIT, ExitError, UsageError } from "../terminal/exit-codes.ts";
import { type GivenFlags, parseFlags } from "../terminal/flags.ts";
import { writeOutput } from "../terminal/output.ts";
import { openConsole } from "./console.ts";
import { listenFailure } from "./listen-failure.ts";
import { openAdmin } from "./open-admin.ts";
import { shutdownSignal } from "./signals.ts";

const FLAGS = {
  port: { type: "string", valueHint: "PORT", description: "Port to listen on (default 8080); 0 selects a free port" },
  host: { type: "string", valueHint: "ADDRESS", description: "Address to listen on (default 127.0.0.1)" },
  config: { type: "string", valueHint: "FILE", description: "Configuration file: JSON, JSON5, YAML or TOML" },
  model: {
    type: "string",
    valueHint: "NAME|FILE",
    description: "A built-in model, or the path of a model file (default simulated)",
  },
  workers: { type: "string", valueHint: "N", description: "Worker threads that run the model (default one per core)" },
  admin: {
    type: "string",
    valueHint: "HOST:PORT|unix:PATH",
    description: "Loopback address or Unix socket for metrics, readiness and info (default none)",
  },
  set: {
    type: "string",
    valueHint: "KEY=VALUE...",
    description: "Set a configuration key, such as model.delay=0; may be repeated",
  },
  "log-level": {
    type: "string",
    valueHint: "LEVEL",
    description: "Least severe level that is logged: debug, info, warning, error (default info)",
  },
  "log-format": {
    type: "string",
    valueHint: "FORMAT",
    description: "Log format: json, pretty, or auto (default; pretty on a terminal, else json)",
  },
  "print-config": { type: "boolean", description: "Print the effective configuration and exit" },
} as const satisfies ArgsDef;

export interface ServeOptions extends Program {
  /** Ends the process now. */
  readonly exit: (code: number) => void;
}

export function serveCommand(options: ServeOptions): CommandDef {
  return {
    args: FLAGS,
    async run({ rawArgs }) {
      const flags = parseFlags(rawArgs, FLAGS);
      const effective = loadServeConfig(flags);
      if (!flags.has("print-config")) return await serve(effective, options);
      await writeOutput(formatConfig(effective.entries));
      for (const warning of effective.warnings) process.stderr.write(`streamer: ${warning}\n`);
    },
  };
}

function loadServeConfig(flags: GivenFlags): EffectiveConfig {
  try {
    return loadConfig({
      file: flags.string("config"),
      env: process.env,
      flags: {
        host: flags.string("host"),
        port: flags.string("port"),
        model: flags.string("model"),
        workers: flags.string("workers"),
        admin: flags.string("admin"),
        "log-level": flags.string("log-level"),
        "log-format": flags.string("log-format"),
      },
      sets: flags.strings("set"),
      validateModelSettings,
      describeModelSettings,
    });
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(`invalid configuration:\n  ${error.problems.join("\n  ")}`);
    throw error;
  }
}

/** Serves until the first signal, then shuts down gracefully. A second signal ends the process at once. */
async function serve({ config, warnings }: EffectiveConfig, options: ServeOptions): Promise<void> {
  // Opens the C library: if that fails, it fails now and not with the first stream.
  native();
  const metrics = new ServerMetrics();
  await using console = openConsole(config.log, () => metrics.families.runtime.logDropped.with({}).add());
  const { log } = console;
  for (const message of [...warnings, ...otelProblems(process.env)]) log.warn("setting_ignored", { message });
  const traceExport = await openTraceExport({
    service: "streamer",
    version: options.version,
    env: process.env,
    log,
    spanCounter: (fate) => metrics.families.server.spans.with({ fate }),
  });
  let server: Server;
  try {
    server = new Server({ config, log, program: options, metrics, tracing: traceExport?.tracing });
  } catch (error) {
    throw new ExitError(EXIT.failure, listenFailure(config.server, error));
  }
  await using admin = await openAdmin(config, server.pages, log);
  const stopped = shutdownSignal(log, options.exit);
  console.showLoading(() => server.loadProgress());
  try {
    if (await loadModels(server, stopped)) {
      console.showStatus({ live: () => server.live(), memory: () => process.memoryUsage.rss() });
      console.print(`listening on ${server.url}`);
      log.info("ready", { url: server.url, version: options.version, ...(admin && { admin: admin.url }) });
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
