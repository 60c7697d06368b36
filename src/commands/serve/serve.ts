import type { ArgsDef, CommandDef } from "citty";

import { ConfigError, type EffectiveConfig, formatConfig, loadConfig, SETTINGS } from "../../config/config.ts";
import { settingHint } from "../../config/setting.ts";
import { describeModelSettings, validateModelSettings } from "../../model/models.ts";
import { UsageError } from "../terminal/exit-codes.ts";
import { type GivenFlags, parseFlags } from "../terminal/flags.ts";
import { writeOutput } from "../terminal/output.ts";
import { processCount } from "./process-count.ts";
import { allowRequests } from "./request-limit.ts";
import { type ServeOptions, serveSingle } from "./single-server.ts";

const FLAGS = {
  port: { type: "string", valueHint: "PORT", description: "Port to listen on (default 8080); 0 selects a free port" },
  host: { type: "string", valueHint: "ADDRESS", description: "Address to listen on (default 127.0.0.1)" },
  config: { type: "string", valueHint: "FILE", description: "Configuration file: JSON, JSON5, YAML or TOML" },
  model: {
    type: "string",
    valueHint: "MODEL|FILE",
    description: "A built-in model, or the path of a model file (default simulated)",
  },
  workers: { type: "string", valueHint: "N", description: "Worker threads that run the model (default one per core)" },
  processes: {
    type: "string",
    valueHint: settingHint(SETTINGS.server.processes),
    description: "Processes that share the port (default 1); auto: one for every two processors",
  },
  admin: {
    type: "string",
    valueHint: "HOST:PORT|unix:PATH",
    description: "Loopback address or Unix socket for metrics, readiness and info (default none)",
  },
  "tls-cert": {
    type: "string",
    valueHint: "FILE",
    description: "Certificate of the server and its issuers, PEM: turns TLS on; is loaded again when it changes",
  },
  "tls-key": { type: "string", valueHint: "FILE", description: "Private key of the certificate, PEM" },
  set: {
    type: "string",
    valueHint: "KEY=VALUE...",
    description: "Set a configuration key, such as model.delay=0; may be repeated",
  },
  "log-level": {
    type: "string",
    valueHint: settingHint(SETTINGS.log.level),
    description: "Least severe level that is logged (default info)",
  },
  "log-format": {
    type: "string",
    valueHint: settingHint(SETTINGS.log.format),
    description: "Log format (default auto: pretty on a terminal, else json)",
  },
  watch: {
    type: "boolean",
    description: "Load model files again when they change, for authors: new streams get the new model",
  },
  "print-config": { type: "boolean", description: "Print the effective configuration and exit" },
} as const satisfies ArgsDef;

export function serveCommand(options: ServeOptions): CommandDef {
  return {
    args: FLAGS,
    async run({ rawArgs }) {
      const flags = parseFlags(rawArgs, FLAGS);
      const effective = loadServeConfig(flags);
      if (flags.has("print-config")) return await printConfig(effective);
      allowRequests(effective.config, process.env);
      const count = processCount(effective.config.server.processes);
      const watch = flags.has("watch");
      if (count === 1) return await serveSingle(effective, { ...options, watch });
      const { supervise } = await import("./supervise.ts");
      await supervise({ ...options, watch, effective, count, reload: () => loadServeConfig(flags) });
    },
  };
}

async function printConfig({ entries, warnings }: EffectiveConfig): Promise<void> {
  await writeOutput(formatConfig(entries));
  for (const warning of warnings) process.stderr.write(`streamer: ${warning}\n`);
}

/** Throws UsageError with all problems. */
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
        processes: flags.string("processes"),
        admin: flags.string("admin"),
        "tls-cert": flags.string("tls-cert"),
        "tls-key": flags.string("tls-key"),
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
