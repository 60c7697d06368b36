import { ConnectionError } from "./errors.ts";
import { type ClientTls, findTlsFault, tlsOptions } from "./tls.ts";

export interface SocketOptions {
  /** Subprotocols to offer. */
  readonly protocols: readonly string[];
  /** Headers of the upgrade request. Bun's WebSocket can set them, a browser's cannot. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Authorities to trust and a certificate to show, for `wss://`. Bun's WebSocket has it, a browser's has not. */
  readonly tls?: ClientTls | undefined;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal | undefined;
}

interface BunOptions {
  readonly protocols: string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: ReturnType<typeof tlsOptions>;
}

/** The constructor of Bun's WebSocket, which accepts headers and options of TLS. */
type WebSocketWithOptions = new (url: string | URL, options: BunOptions) => WebSocket;

/**
 * Opens a WebSocket. Rejects with a ConnectionError (`cannot_connect`), or with the reason of the signal. Bun's
 * WebSocket uses no proxy that the environment names.
 */
export function openSocket(url: string | URL, { protocols, headers, tls, signal }: SocketOptions): Promise<WebSocket> {
  if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
  const options = { ...(headers && { headers }), ...(tls && { tls: tlsOptions(tls) }) };
  const socket =
    headers === undefined && tls === undefined
      ? new WebSocket(url, [...protocols])
      : new (WebSocket as unknown as WebSocketWithOptions)(url, { protocols: [...protocols], ...options });
  socket.binaryType = "arraybuffer";
  return new Promise<WebSocket>((resolve, reject) => {
    const giveUp = () => {
      reject(signal?.reason as Error);
      socket.close();
    };
    signal?.addEventListener("abort", giveUp, { once: true });
    const settled = () => signal?.removeEventListener("abort", giveUp);
    socket.onopen = () => {
      settled();
      socket.onerror = null;
      resolve(socket);
    };
    let fault: string | undefined;
    socket.onerror = (event) => {
      if ("message" in event && typeof event.message === "string") fault = findTlsFault(event.message)?.message;
    };
    socket.onclose = () => {
      settled();
      const reason = fault === undefined ? "" : `: ${fault}`;
      reject(new ConnectionError("cannot_connect", `cannot connect to ${String(url)}${reason}`));
    };
  });
}
