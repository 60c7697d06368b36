import type { ClientTls } from "./tls.ts";

/** `readyState` of a socket that takes messages. */
export const OPEN = 1;

/** The part of a WebSocket that a client uses. Binary messages arrive as `ArrayBuffer`. */
export interface ClientSocket {
  /** 0: connecting, 1: open, 2: closing, 3: closed. */
  readonly readyState: number;
  /** Bytes that were sent and that the network has not taken yet. */
  readonly bufferedAmount: number;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  /** Called once, at the end. */
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  /** Reports control frames, where they can be seen. */
  addEventListener?(type: "ping" | "pong", listener: () => void): void;
  /** Sends a ping, where that is possible. */
  ping?(): void;
}

export interface SocketOptions {
  /** Subprotocols to offer. */
  readonly protocols: readonly string[];
  /** Headers of the upgrade request. The WebSocket of a browser cannot send them. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Authorities to trust and a certificate to show, for `wss://`. A browser has its own. */
  readonly tls?: ClientTls | undefined;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens a socket: resolves when it is open. Rejects with a ConnectionError (`cannot_connect`, or `unsupported` for
 * options that it cannot obey), or with the reason of the signal.
 */
export type OpenSocket = (url: string | URL, options: SocketOptions) => Promise<ClientSocket>;
