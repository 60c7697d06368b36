import type { ResultAudio } from "../model/job.ts";
import type { Caller } from "../protocol/caller.ts";
import type { ServerEvent } from "../protocol/events.ts";

/** The session that a stream belongs to. */
export interface StreamOwner {
  readonly caller: Caller;
  /** Sends an event and the audio that goes with it. Returns false when an interim was held back. */
  send(event: ServerEvent, audio?: ResultAudio): boolean;
  /** Something has changed that may let the stream go on, or end it. */
  progress(): void;
  /** Handling a result has failed: a fault of the server. */
  failed(error: unknown): void;
  /** The stream holds memory that others need, and must end. @param message for its client */
  evicted(message: string): void;
}
