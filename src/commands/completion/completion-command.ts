import type { ArgsDef, CommandDef } from "citty";

import { UsageError } from "../terminal/exit-codes.ts";
import { invalidValue, parseFlags } from "../terminal/flags.ts";
import { writeOutput } from "../terminal/output.ts";
import { SHELLS } from "./replies.ts";
import bash from "./scripts/streamer.bash" with { type: "text" };
import fish from "./scripts/streamer.fish" with { type: "text" };
import zsh from "./scripts/streamer.zsh" with { type: "text" };

const FLAGS = {
  shell: {
    type: "positional",
    required: true,
    valueHint: SHELLS.join("|"),
    description: `The shell: ${SHELLS.join(", ")}`,
  },
} as const satisfies ArgsDef;

const SCRIPTS = new Map(Object.entries({ bash, zsh, fish }));

/** Prints the script that completes command lines in a shell. */
export const completionCommand: CommandDef = {
  args: FLAGS,
  async run({ rawArgs }) {
    const shell = parseFlags(rawArgs, FLAGS).string("shell");
    if (shell === undefined) throw new UsageError(`missing shell: use streamer completion ${SHELLS.join("|")}`);
    const script = SCRIPTS.get(shell);
    if (script === undefined) throw invalidValue("shell", shell, SHELLS.join(", "));
    await writeOutput(script);
  },
};
