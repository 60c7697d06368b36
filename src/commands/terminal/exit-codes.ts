import { constants } from "node:os";

/** The program's exit codes. */
export const EXIT = {
  success: 0,
  /** The server reported errors, results are missing, or output cannot be written. */
  failure: 1,
  /** The command line or a file that it names is not valid. */
  usage: 2,
  /** Nothing listens at the address, or the connection is refused. */
  unreachable: 3,
} as const;

/** The exit code of a command that a signal ends: 128 and its number, the convention of shells. */
export function signalExit(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** Ends the program with `code`. `main.ts` catches it and prints the message, if there is one, to standard error. */
export class ExitError extends Error {
  override readonly name: string = "ExitError";
  readonly code: number;

  constructor(code: number, message = "") {
    super(message);
    this.code = code;
  }
}

/** An invalid command line or input file. The message is for the user who typed the command. */
export class UsageError extends ExitError {
  override readonly name = "UsageError";

  constructor(message: string) {
    super(EXIT.usage, message);
  }
}
