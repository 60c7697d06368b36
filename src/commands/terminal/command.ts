/** A flag of a command, or a positional argument. */
export interface Flag {
  /** A `positional` argument has no dashes; they are taken in the order of their definitions. */
  readonly type: "string" | "boolean" | "positional";
  /** The short form, one letter. */
  readonly alias?: string;
  /** The value in the help text, such as FILE. A flag whose hint ends in "..." may be repeated. */
  readonly valueHint?: string;
  readonly description: string;
}

/** Flags by their name without dashes. */
export type Flags = Readonly<Record<string, Flag>>;

/** A command of the program. */
export interface Command {
  readonly flags: Flags;
  /** Runs the command with the arguments after its name. Throws ExitError. */
  run(args: readonly string[]): Promise<void>;
}
