import type { CommandDef } from "citty";

import manifest from "../../../package.json" with { type: "json" };
import { configSchema } from "../../config/json-schema.ts";
import { parseFlags } from "../terminal/flags.ts";
import { writeOutput } from "../terminal/output.ts";

/** The command `config schema`: prints the JSON Schema of configuration files. */
export const configSchemaCommand: CommandDef = {
  args: {},
  async run({ rawArgs }) {
    parseFlags(rawArgs, {});
    await writeOutput(`${JSON.stringify(configSchema(manifest.version), undefined, 2)}\n`);
  },
};
