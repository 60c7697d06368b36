import type { Ending } from "../protocol/ending.ts";
import type { ServerEvent } from "../protocol/events.ts";

/** A phone call, as those who watch it identify it. */
export interface CallDetails {
  /** Name of the call: an id that the telephone system has given it. It need not be unique. */
  readonly call: string;
  /** What the telephone system has been told about it. */
  readonly parameters?: Readonly<Record<string, string>> | undefined;
}

/**
 * The way from a connection that cannot take results, because a telephone is at its other end, to connections that
 * watch it.
 */
export interface CallLine {
  /** The name of the call is known. To be called before its first event; what is called again has no effect. */
  begin(details: CallDetails): void;
  /** Reports an event of the call's stream. */
  tell(event: ServerEvent): void;
  /** The connection is about to close. */
  end(ending: Ending): void;
}

/** The line of a connection that nobody can watch. */
export const NO_LINE: CallLine = { begin: () => undefined, tell: () => undefined, end: () => undefined };
