import type { OpenMessage } from "../worker/child/child-messages.ts";

/** A program that runs a model in a process of its own. */
export interface Launch {
  readonly command: readonly string[];
  /** The name of the process in `ps`; default: the first word of the command. */
  readonly argv0?: string;
  /** What to know when it ends before the model is loaded. */
  readonly note?: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What the program reads from the channel before the first frame. */
  readonly program?: Uint8Array;
  /**
   * Answers what a model declares, for programs that do not check that themselves. Throws what is wrong with it.
   * @param settings of the model, as configured
   */
  readonly declared?: (module: unknown, settings: Readonly<Record<string, unknown>>) => Omit<OpenMessage, "type">;
}
