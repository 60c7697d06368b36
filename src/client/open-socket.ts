import { ConnectionError, HandshakeFailed } from "./errors.ts";
import { printableUrl } from "./socket-url.ts";
import type { ClientSocket, SocketOptions } from "./socket.ts";
import { type ClientTls, findTlsFault, tlsOptions } from "./tls.ts";

/** What the constructors of Bun and Deno take in the place of subprotocols. */
interface NativeOptions {
  readonly protocols: string[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Bun. */
  readonly tls?: ReturnType<typeof tlsOptions>;
  /** Deno. */
  readonly client?: DenoClient;
}

type WebSocketWithOptions = new (url: string | URL, options: NativeOptions) => WebSocket;

interface DenoClient {
  close(): void;
}

interface Deno {
  createHttpClient(options: { caCerts?: string[]; cert?: string; key?: string }): DenoClient;
}

/**
 * Opens a WebSocket of the run time: of a browser, Bun or Deno. Rejects with a ConnectionError (`cannot_connect`, or
 * `unsupported` for headers in a browser), or with the reason of the signal. Bun's WebSocket uses no proxy that the
 * environment names.
 */
export function openSocket(url: string | URL, options: SocketOptions): Promise<WebSocket> {
  return new Promise<WebSocket>((resolve, reject) => {
    const { signal } = options;
    signal?.throwIfAborted();
    const socket = newSocket(url, options);
    socket.binaryType = "arraybuffer";
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
      const failure = `cannot connect to ${printableUrl(url)}`;
      reject(
        fault === undefined
          ? new ConnectionError("cannot_connect", failure)
          : new HandshakeFailed(`${failure}: ${fault}`),
      );
    };
  });
}

/** `openSocket` as a client takes it. The events of a WebSocket have what those of a ClientSocket need, and more. */
export async function openNativeSocket(url: string | URL, options: SocketOptions): Promise<ClientSocket> {
  return (await openSocket(url, options)) as unknown as ClientSocket;
}

function newSocket(url: string | URL, { protocols, headers = {}, tls }: SocketOptions): WebSocket {
  const hasHeaders = Object.keys(headers).length > 0;
  if (typeof WebSocket === "undefined") throw unsupported("WebSocket", "pass `openSocket`");
  if (!hasHeaders && tls === undefined) return new WebSocket(url, [...protocols]);
  const native = { protocols: [...protocols], ...(hasHeaders && { headers }) };
  const constructor = WebSocket as unknown as WebSocketWithOptions;
  if ("Bun" in globalThis) return new constructor(url, { ...native, ...(tls && { tls: tlsOptions(tls) }) });
  if ("Deno" in globalThis) {
    if (tls === undefined) return new constructor(url, native);
    const client = denoClient(tls);
    const socket = new constructor(url, { ...native, client });
    socket.addEventListener("close", () => client.close());
    return socket;
  }
  if (!hasHeaders) throw unsupported("options of TLS", "the browser has its own authorities and certificates");
  const isToken = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
  throw unsupported("headers", isToken ? "use a ticket in the place of the token" : "remove the option `headers`");
}

function denoClient({ ca, cert, key, insecure }: ClientTls): DenoClient {
  if (insecure === true) {
    throw unsupported("`tls.insecure`", "run Deno with --unsafely-ignore-certificate-errors=HOST");
  }
  const { Deno } = globalThis as unknown as { readonly Deno: Deno };
  return Deno.createHttpClient({
    ...(ca !== undefined && { caCerts: [ca] }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  });
}

function unsupported(what: string, remedy: string): ConnectionError {
  return new ConnectionError("unsupported", `this run time has no ${what} for a WebSocket: ${remedy}`);
}
