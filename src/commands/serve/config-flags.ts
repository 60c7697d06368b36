import type { ArgsDef } from "citty";

import { type EffectiveConfig, loadConfig, SETTINGS } from "../../config/config.ts";
import { settingHint } from "../../config/setting.ts";
import { describeModelSettings, validateModelSettings } from "../../model/models.ts";
import type { GivenFlags } from "../terminal/flags.ts";

/** The flags that configure a server. */
export const CONFIG_FLAGS = {
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
} as const satisfies ArgsDef;

/** Reads the configuration from the file, the environment and the flags. Throws ConfigError with all problems. */
export function readConfig(flags: GivenFlags): EffectiveConfig {
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
}
