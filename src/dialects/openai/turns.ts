import type { ErrorEvent } from "../../protocol/events.ts";
import type { Span, Spoken } from "../words.ts";
import type { ServerMessage } from "./messages.ts";

/** Who decides where items end, and which results belong to which. Times are seconds of the open stream. */
export interface Turns {
  /** The client commits. The stream is flushed then. */
  commit(): ServerMessage[];
  active(time: number): ServerMessage[];
  inactive(time: number): ServerMessage[];
  interim(text: string): ServerMessage[];
  /** @param spoken undefined: the result has no text */
  final(span: Span, spoken: Spoken | undefined): ServerMessage[];
  /** @param isModels false: the whole stream has failed, and with it what has no answer */
  failed(span: Span, error: ErrorEvent, isModels: boolean): ServerMessage[];
  flushed(time: number): ServerMessage[];
  /** The client clears the buffer: what has not been committed is not reported up to the end of the stream. */
  clear(): void;
  /** The stream is over. @param goesOn the next one is of the same kind, and what has not been committed belongs to it */
  stopped(goesOn: boolean): ServerMessage[];
}
