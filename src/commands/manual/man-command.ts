import type { CommandDef } from "citty";

import type { Commands } from "../terminal/command-tree.ts";
import { parseFlags } from "../terminal/flags.ts";
import { writeOutput } from "../terminal/output.ts";
import { manPage } from "./man-page.ts";

/** The command `man`: prints the manual page of all commands. */
export function manCommand(commands: Commands): CommandDef {
  return {
    args: {},
    async run({ rawArgs }) {
      parseFlags(rawArgs, {});
      await writeOutput(await manPage(commands));
    },
  };
}
