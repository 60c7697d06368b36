import type { SessionConnections } from "./connections/connection-limit.ts";
import { Uploads } from "./uploads/uploads.ts";
import { WebSockets, type WebSocketsOptions } from "./websocket.ts";

/** The transports of the port of HTTP: connections that have been upgraded, and requests with files. */
export class Transports implements SessionConnections {
  readonly websockets: WebSockets;
  readonly uploads: Uploads;
  readonly #faults: WebSocketsOptions["faults"];

  constructor(options: WebSocketsOptions) {
    this.#faults = options.faults;
    this.websockets = new WebSockets(options);
    this.uploads = new Uploads(options);
  }

  get size(): number {
    return this.websockets.size + this.uploads.size;
  }

  peers(): ReadonlySet<string> {
    return new Set([...this.websockets.peers(), ...this.uploads.peers()]);
  }

  /** Checks every connection. To be called a few times a second. @param now milliseconds of the clock */
  sweep(now: number): void {
    this.#faults.contain("socket", () => this.websockets.sweep(now));
    this.#faults.contain("socket", () => this.uploads.sweep(now));
  }
}
