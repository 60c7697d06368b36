import type { Credentials } from "../protocol/credentials.ts";
import type { AudioFormat } from "../protocol/format.ts";
import type { ConnectionError } from "./errors.ts";
import type { SocketOptions } from "./open-socket.ts";

/** The fields of a `start` request. The server has defaults for all but `format`. */
export interface StartFields {
  readonly format: Omit<AudioFormat, "encoding"> & Partial<Pick<AudioFormat, "encoding">>;
  readonly interim_results?: boolean;
  readonly [field: string]: unknown;
}

export interface ConnectOptions extends Pick<SocketOptions, "tls"> {
  /**
   * Opens a connection of another transport in the place of a WebSocket. The connection has the part of that interface
   * that the client uses. Default: a WebSocket to the URL.
   */
  readonly openSocket?: (options: SocketOptions) => Promise<WebSocket>;
  /** Subprotocols to offer; default `streamer.v1`. */
  readonly protocols?: readonly string[];
  /** Headers of the upgrade request. Bun's WebSocket can set them, a browser's cannot. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * A token, sent as a header, or a ticket (`POST /api/v1/tickets`), sent as a subprotocol, as browsers can. A function
   * is asked for each connection, so that a stream can be resumed with another ticket.
   */
  readonly credentials?: Credentials | (() => Promise<Credentials>);
  /** The clock for `ReceivedEvent.receivedMs`, in milliseconds; default `performance.now`. */
  readonly now?: () => number;
  /** Default MAX_BUFFERED_BYTES. */
  readonly maxBufferedBytes?: number;
  /** Default MAX_QUEUED_EVENTS. */
  readonly maxQueuedEvents?: number;
  /** Gives up connecting when aborted: `connect` rejects with its reason. No effect on an open connection. */
  readonly signal?: AbortSignal;
  /**
   * Longest time, in milliseconds, to go on with a stream at this URL after its connection is lost, if the server can
   * resume streams; 0: a stream ends with its connection, and checkpoints are events as others. Default RESUME_MS. A
   * ticket is for one connection: with it alone, streams are not resumed.
   */
  readonly resumeMs?: number;
  /** Most bytes of audio that are kept for that. Default MAX_KEPT_BYTES. */
  readonly maxKeptBytes?: number;
  /** Receives what becomes of a lost connection. */
  readonly onResume?: (progress: ResumeProgress) => void;
}

/** `lost`: the connection has ended, and another one is tried; `resumed`: the stream goes on. */
export interface ResumeProgress {
  readonly state: "lost" | "resumed";
  /** Why the connection has ended. */
  readonly cause: ConnectionError;
}
