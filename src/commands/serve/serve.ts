import type { ArgsDef, CommandDef } from "citty";

import { ConfigError, type EffectiveConfig, formatConfig, loadConfig } from "../../config/config.ts";
import { describeModelSettings, validateModelSettings } from "../../model/models.ts";
import { Server } from "../../server/server.ts";
import { type Logger, openLog } from "../../telemetry/log/log.ts";
import { prettyLine } from "../../telemetry/log/pretty.ts";
import { ServerMetrics } from "../../telemetry/metrics/server-metrics.ts";
import { openTraceExport } from "../../telemetry/tracing/trace-export.ts";
import { EXIT, ExitCode, UsageError } from "../terminal/exit.ts";
import { type Flags, parseFlags } from "../terminal/flags.ts";
import { processOutput } from "../terminal/screen.ts";
import { ServeStatus } from "./status.ts";

const ARGS: ArgsDef = {
  port: { type: "string", valueHint: "8080", description: "Port to listen on; 0 takes a free one" },
  host: { type: "string", valueHint: "127.0.0.1", description: "Address to listen on" },
  config: { type: "string", valueHint: "FILE", description: "Configuration: JSON, JSON5, YAML or TOML" },
  model: { type: "string", valueHint: "simulated", description: "A built-in model, or the path of a model file" },
  workers: { type: "string", valueHint: "N", description: "Worker threads that run the model; default: one a core" },
  set: { type: "string", valueHint: "KEY=VALUE...", description: "Override any key of the configuration" },
  "log-level": { type: "string", valueHint: "info", description: "debug, info, warning or error" },
  "log-format": { type: "string", valueHint: "auto", description: "auto (pretty on a terminal), json or pretty" },
  "print-config": { type: "boolean", description: "Print the effective configuration and exit" },
};

type LogConfig = EffectiveConfig["config"]["log"];

export interface ServeOptions {
  readonly version: string;
  /** Where `worker.ts` is. */
  readonly workerUrl: string;
}

export function serveCommand(options: ServeOptions): CommandDef {
  return {
    meta: { name: "serve", description: "Serve a model over WebSocket" },
    args: ARGS,
    async run({ rawArgs }) {
      const flags = parseFlags(rawArgs, ARGS);
      const { config, entries } = load(flags);
      if (flags.boolean("print-config")) process.stdout.write(formatConfig(entries));
      else await serve(config, options);
    },
  };
}

function load(flags: Flags): EffectiveConfig {
  try {
    return loadConfig({
      file: flags.string("config"),
      env: process.env,
      flags: {
        host: flags.string("host"),
        port: flags.string("port"),
        model: flags.string("model"),
        workers: flags.string("workers"),
        "log-level": flags.string("log-level"),
        "log-format": flags.string("log-format"),
      },
      sets: flags.strings("set"),
      validateModelSettings,
      describeModelSettings,
    });
  } catch (error) {
    if (error instanceof ConfigError)
      throw new UsageError(`the configuration is not valid:\n  ${error.problems.join("\n  ")}`);
    throw error;
  }
}

/** Serves until the first SIGTERM or SIGINT, then drains; a second one ends the program at once. */
async function serve(config: EffectiveConfig["config"], options: ServeOptions): Promise<void> {
  using status = openStatus(config.log.format);
  using log = openServeLog(config.log, status);
  const metrics = new ServerMetrics();
  const traceExport = await openTraceExport({
    service: "streamer",
    version: options.version,
    env: process.env,
    log,
    spanCounter: (fate) => metrics.families.server.spans.with({ fate }),
  });
  let server: Server;
  try {
    server = new Server({ config, log, ...options, metrics, tracing: traceExport?.tracing });
  } catch (error) {
    throw new ExitCode(EXIT.failed, cannotListen(config, error));
  }
  const stopped = onSignal(log);
  try {
    if (await isLoaded(server, stopped)) {
      const listening = `listening on ${server.url}`;
      if (status === undefined) process.stdout.write(`${listening}\n`);
      else {
        status.print(listening);
        status.follow({ live: () => server.live(), memory: () => process.memoryUsage.rss() });
      }
      log.info("ready", { url: server.url, version: options.version });
      const signal = await stopped;
      log.info("draining", { signal, sessions: server.sessions });
      await server.drain();
    }
  } finally {
    await server.close();
    await traceExport?.close();
  }
  log.info("stopped");
}

/** Undefined where a line that changes in place would only be in the way. */
function openStatus(format: LogConfig["format"]): ServeStatus | undefined {
  if (!process.stderr.isTTY || format === "json") return undefined;
  const unread = () => {};
  return new ServeStatus(processOutput(process.stdout, unread), processOutput(process.stderr, unread));
}

function openServeLog({ level, format }: LogConfig, status: ServeStatus | undefined): Logger & Disposable {
  const isTerminal = process.stderr.isTTY;
  const isPretty = format === "pretty" || (format === "auto" && isTerminal);
  const colour = isTerminal && !process.env["NO_COLOR"];
  return openLog({
    level,
    ...(isPretty && { render: (line) => prettyLine(line, colour) }),
    ...(status && { write: (line) => status.log(line) }),
  });
}

/** Waits for the models. False: a signal came first. A model that cannot be loaded is for the person who named it. */
async function isLoaded(server: Server, stopped: Promise<string>): Promise<boolean> {
  try {
    return await Promise.race([server.load().then(() => true), stopped.then(() => false)]);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function onSignal(log: Logger): Promise<string> {
  return new Promise((resolve) => {
    let signals = 0;
    const handle = (signal: string): void => {
      signals += 1;
      if (signals === 1) return resolve(signal);
      log.warn("stopped_at_once", { signal });
      // The default of the signal: ends the process without asking anybody.
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    };
    process.on("SIGTERM", handle);
    process.on("SIGINT", handle);
  });
}

function cannotListen(config: EffectiveConfig["config"], error: unknown): string {
  const { host, port } = config.server;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EADDRINUSE") return `port ${port} of ${host} is in use; --port 0 takes a free one`;
  return `cannot listen on ${host}:${port}: ${error instanceof Error ? error.message : String(error)}`;
}
