import { ConnectionError } from "./errors.ts";

export interface SocketOptions {
  /** Subprotocols to offer. */
  readonly protocols: readonly string[];
  /** Headers of the upgrade request. Bun's WebSocket can set them, a browser's cannot. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Gives up when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** The constructor of Bun's WebSocket, which accepts headers. */
type WebSocketWithHeaders = new (
  url: string | URL,
  options: { readonly protocols: string[]; readonly headers: Readonly<Record<string, string>> },
) => WebSocket;

/**
 * Opens a WebSocket. Rejects with a ConnectionError (`cannot_connect`), or with the reason of the signal. Bun's
 * WebSocket uses no proxy that the environment names.
 */
export function openSocket(url: string | URL, { protocols, headers, signal }: SocketOptions): Promise<WebSocket> {
  if (signal?.aborted === true) return Promise.reject(signal.reason as Error);
  const socket =
    headers === undefined
      ? new WebSocket(url, [...protocols])
      : new (WebSocket as unknown as WebSocketWithHeaders)(url, { protocols: [...protocols], headers });
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
      resolve(socket);
    };
    socket.onclose = () => {
      settled();
      reject(new ConnectionError("cannot_connect", `cannot connect to ${String(url)}`));
    };
  });
}
