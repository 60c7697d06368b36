import { connect, type Socket } from "node:net";

import { handshake } from "../raw-connection.ts";

/** What a stranger sends on each of its connections. */
const SENDS = {
  nothing: () => "",
  "requests over HTTP that keep the connection": () => "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "half a request": () => "GET /api/v1/health HTTP/1.1\r\nHo",
  "handshakes of sessions that start no stream": (port: number) => handshake(port),
} as const;

export type StrangerKind = keyof typeof SENDS;
export const STRANGER_KINDS = Object.keys(SENDS) as StrangerKind[];

/** Time after which a connection that was closed is made again. */
const AGAIN_MS = 50;

/** Somebody who holds as many connections as the server lets it have. */
export class Stranger implements Disposable {
  /** Connections that the server has closed. */
  closed = 0;
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Set<Timer>();
  readonly #kind: StrangerKind;
  readonly #port: number;
  readonly #from: string;

  /** @param from local address of its connections */
  constructor(kind: StrangerKind, count: number, port: number, from: string) {
    this.#kind = kind;
    this.#port = port;
    this.#from = from;
    for (let n = 0; n < count; n++) this.#connect();
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.removeAllListeners("close").destroy();
  }

  #connect(): void {
    const socket = connect({ port: this.#port, host: "127.0.0.1", localAddress: this.#from });
    this.#sockets.add(socket);
    socket.on("error", () => {}).resume();
    socket.once("connect", () => void socket.write(SENDS[this.#kind](this.#port)));
    socket.once("close", () => {
      this.closed += 1;
      this.#sockets.delete(socket);
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#connect();
      }, AGAIN_MS);
      this.#timers.add(timer);
    });
  }
}
