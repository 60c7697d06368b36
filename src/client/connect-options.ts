import type { Credentials } from "../protocol/credentials.ts";
import type { ConnectionError } from "./errors.ts";
import type { OpenSocket } from "./socket.ts";
import type { ClientTls } from "./tls.ts";

/** How a client connects, and what it does when the connection is lost. */
export interface ConnectOptions {
  /** Subprotocols to offer; default `streamer.v1`. */
  readonly protocols?: readonly string[] | undefined;
  /** Headers of the upgrade request, on Node.js, Bun and Deno. Browsers cannot send any (`unsupported`). */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Authorities to trust and a certificate to show, for `wss://`, on Node.js, Bun and Deno. */
  readonly tls?: ClientTls | undefined;
  /**
   * A token, sent as a header, or a ticket (`POST /api/v1/tickets`), sent as a subprotocol, as browsers can. A function
   * is asked for each connection, so that a stream can be resumed with another ticket.
   */
  readonly credentials?: Credentials | (() => Credentials | Promise<Credentials>) | undefined;
  /** The clock for `ReceivedEvent.receivedMs`, in milliseconds; default `performance.now`. */
  readonly now?: (() => number) | undefined;
  /** `send` waits while more bytes than this are buffered. Default 1 MiB. */
  readonly maxBufferedBytes?: number | undefined;
  /**
   * Most events that may wait to be read. Past it the client closes the connection, and `events` throws `not_read`.
   * Default 65,536.
   */
  readonly maxQueuedEvents?: number | undefined;
  /** Gives up connecting when aborted: `connect` rejects with its reason. No effect on an open connection. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Longest time, in milliseconds, to go on with a stream at this URL after its connection is lost, if the server can
   * resume streams; 0: a stream ends with its connection, and checkpoints are events as others. Default 60,000.
   * A ticket is for one connection: with it alone, streams are not resumed.
   */
  readonly resumeMs?: number | undefined;
  /** Most bytes of audio that are kept for that. Past it a stream cannot be resumed. Default 64 MiB. */
  readonly maxKeptBytes?: number | undefined;
  /** Opens each connection, in the place of the WebSocket of the run time. */
  readonly openSocket?: OpenSocket | undefined;
  /** Receives what becomes of a lost connection. */
  readonly onResume?: ((progress: ResumeProgress) => void) | undefined;
}

/** `lost`: the connection has ended, and another one is tried; `resumed`: the stream goes on. */
export interface ResumeProgress {
  readonly state: "lost" | "resumed";
  /** Why the connection has ended. */
  readonly cause: ConnectionError;
}

/** How `sendAll` sends. */
export interface SendAllOptions {
  /** Ends sending when aborted: `sendAll` rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** True: as fast as the audio was recorded, like a live source. False, the default: as fast as the server takes it. */
  readonly realTime?: boolean | undefined;
}
