/** What the program's exit code says. */
export const EXIT = {
  /** All went well. */
  good: 0,
  /** The server reported errors, or results are missing. */
  failed: 1,
  /** The command line, or the file that it names, cannot be used. */
  usage: 2,
  /** Nothing answers at the address, or the connection is refused. */
  unreachable: 3,
  /** Ended by a second Ctrl-C: 128 + SIGINT, as shells say it. */
  interrupted: 130,
} as const;

/** Ends the program: `main.ts` prints the message, if there is one, to standard error and exits with `code`. */
export class ExitCode extends Error {
  override readonly name: string = "ExitCode";
  readonly code: number;

  constructor(code: number, message = "") {
    super(message);
    this.code = code;
  }
}

/** The person who typed the command must act. */
export class UsageError extends ExitCode {
  override readonly name = "UsageError";

  constructor(message: string) {
    super(EXIT.usage, message);
  }
}

/** Results are lost, and whoever reads the file would not know. */
export function unwritable(reason: string): ExitCode {
  return new ExitCode(EXIT.failed, `standard output cannot be written: ${reason}`);
}
