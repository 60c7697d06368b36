import type { ArgsDef, CommandDef } from "citty";

/** A command, which is loaded when it is used. */
export interface CommandEntry {
  /** One line, for lists of commands. */
  readonly description: string;
  readonly load: () => Promise<CommandDef>;
}

/** A command that has commands of its own. */
export interface CommandGroup {
  readonly description: string;
  readonly commands: Commands;
}

export type Commands = Readonly<Record<string, CommandEntry | CommandGroup>>;

/** A command with its command line, without the program: `["model", "check"]`. */
export interface PlacedCommand {
  readonly path: readonly string[];
  readonly entry: CommandEntry;
}

/** Returns the command or group of a name; undefined: there is none. */
export function findCommand(commands: Commands, name: string): CommandEntry | CommandGroup | undefined {
  return Object.hasOwn(commands, name) ? commands[name] : undefined;
}

/** Returns every command that can be run, in the order of the lists. */
export function allCommands(commands: Commands, path: readonly string[] = []): PlacedCommand[] {
  return Object.entries(commands).flatMap(([name, entry]) =>
    "commands" in entry ? allCommands(entry.commands, [...path, name]) : [{ path: [...path, name], entry }],
  );
}

/** Returns the flags and arguments of a command. */
export async function flagsOf({ args = {} }: CommandDef): Promise<ArgsDef> {
  return await (typeof args === "function" ? args() : args);
}
