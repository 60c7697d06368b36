import type { ResultAudio } from "../model/job.ts";
import type { Caller } from "../protocol/caller.ts";
import type { ErrorCode } from "../protocol/errors.ts";
import type { ServerEvent } from "../protocol/events.ts";

/** The session that a stream belongs to. */
export interface StreamOwner {
  readonly caller: Caller;
  /** Sends an event and the audio that goes with it. Returns false when an interim or a checkpoint was held back. */
  send(event: ServerEvent, audio?: ResultAudio): boolean;
  /** Something has changed that may let the stream go on, or end it. */
  progress(): void;
  /** Handling a result has failed: a fault of the server. */
  failed(error: unknown): void;
  /**
   * The stream must end: it holds memory that others need, or goes on elsewhere.
   * @param message for its client @param code default: `overloaded`
   */
  evicted(message: string, code?: ErrorCode): void;
}
