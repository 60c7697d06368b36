import type { IncomingMessage } from "node:http";

import { WebSocket } from "ws";

import { messageOf } from "../lib/thrown.ts";
import { errorIn } from "./error-body.ts";
import { ConnectionError, ConnectionRefused, HandshakeFailed } from "./errors.ts";
import { printableUrl } from "./socket-url.ts";
import type { ClientSocket, SocketOptions } from "./socket.ts";
import { findTlsFault, tlsOptions } from "./tls.ts";

/** Most bytes that are read of a refusal. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/**
 * Opens a WebSocket of the package `ws`: Node.js 20 has none of its own, and those of later versions hide why a server
 * refuses. Rejects with a ConnectionError (`cannot_connect`), with a ConnectionRefused if the server has answered, or
 * with the reason of the signal.
 */
export function openNodeSocket(url: string | URL, options: SocketOptions): Promise<ClientSocket> {
  const { protocols, headers, tls, signal } = options;
  return new Promise<ClientSocket>((resolve, reject) => {
    signal?.throwIfAborted();
    const socket = new WebSocket(url, [...protocols], {
      ...(headers && { headers }),
      ...(tls && tlsOptions(tls)),
      perMessageDeflate: false,
    });
    socket.binaryType = "arraybuffer";
    const giveUp = () => {
      reject(signal?.reason as Error);
      socket.terminate();
    };
    signal?.addEventListener("abort", giveUp, { once: true });
    const settled = () => signal?.removeEventListener("abort", giveUp);
    socket.on("open", () => {
      settled();
      resolve(clientSocket(socket));
    });
    // Also after the handshake: an error event without a listener would end the process. A close follows each.
    socket.on("error", (error) => {
      settled();
      const failure = `cannot connect to ${printableUrl(url)}`;
      const fault = findTlsFault(error.message)?.message;
      reject(
        fault === undefined
          ? new ConnectionError("cannot_connect", `${failure}: ${reasonOf(error)}`)
          : new HandshakeFailed(`${failure}: ${fault}`),
      );
    });
    socket.on("unexpected-response", (_, response) => {
      void readRefusal(response).then((body) => {
        settled();
        reject(new ConnectionRefused(printableUrl(url), response.statusCode ?? 0, errorIn(body)));
        socket.terminate();
      });
    });
  });
}

function clientSocket(socket: WebSocket): ClientSocket {
  return {
    get readyState() {
      return socket.readyState;
    },
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    set onmessage(listener: ClientSocket["onmessage"]) {
      socket.onmessage = listener;
    },
    set onclose(listener: ClientSocket["onclose"]) {
      socket.onclose = listener;
    },
    send: (data) => socket.send(data),
    close: (code, reason) => socket.close(code, reason),
    addEventListener: (type, listener) => void socket.on(type, listener),
    ping: () => socket.ping(),
  };
}

/** Several addresses of one name fail as a group, whose own message is empty. */
function reasonOf(error: Error): string {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return messageOf(first).trim();
}

async function readRefusal(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      parts.push(part);
      bytes += part.length;
      if (bytes >= MAX_REFUSAL_BYTES) break;
    }
  } catch {
    // The status is enough.
  }
  return Buffer.concat(parts).toString();
}
