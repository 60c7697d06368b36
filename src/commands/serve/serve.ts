import type { ArgsDef, CommandDef } from "citty";

import { ConfigError, type EffectiveConfig, formatConfig } from "../../config/config.ts";
import { UsageError } from "../terminal/exit-codes.ts";
import { type GivenFlags, parseFlags } from "../terminal/flags.ts";
import { writeOutput } from "../terminal/output.ts";
import { CONFIG_FLAGS, readConfig } from "./config-flags.ts";
import { processCount } from "./process-count.ts";
import { allowRequests } from "./request-limit.ts";
import { type ServeOptions, serveSingle } from "./single-server.ts";

const FLAGS = {
  ...CONFIG_FLAGS,
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
    return readConfig(flags);
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(`invalid configuration:\n  ${error.problems.join("\n  ")}`);
    throw error;
  }
}
