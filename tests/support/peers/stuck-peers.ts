import { readFileSync } from "node:fs";

/** A connection as the kernel of the server has it. */
interface Watched {
  /** Bytes that the peer has not acknowledged. */
  unsent: string;
  /** Time, in milliseconds, after which that has not changed. */
  stuckAt: number;
  /** Time at which the server was seen to have ended it. */
  endedAt: number | undefined;
}

const ESTABLISHED = "01";

/** Interval between two looks, whatever the server is busy with. */
const LOOK_MS = 100;

/**
 * Watch of the connections to a server, by the tables of its kernel: since when nothing has left for a peer, and when
 * its connection has ended.
 */
export class StuckPeers implements Disposable {
  readonly #connections = new Map<string, Watched>();
  readonly #table: string;
  readonly #suffix: string;
  readonly #timer = setInterval(() => this.look(), LOOK_MS);
  #lookedAt = performance.now();

  /** @param pid of the server, which is in a network of its own; @param port that it listens on */
  constructor(pid: number, port: number) {
    this.#table = `/proc/${pid}/net/tcp`;
    this.#suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const now = performance.now();
    const seen = new Set<string>();
    for (const line of readFileSync(this.#table, "utf8").split("\n")) {
      const [, local = "", peer = "", state = "", queues = ""] = line.trim().split(/\s+/);
      if (!local.endsWith(this.#suffix) || state !== ESTABLISHED) continue;
      seen.add(peer);
      const [unsent = ""] = queues.split(":");
      const before = this.#connections.get(peer);
      // It may have changed as soon as it was looked at last.
      if (before?.unsent !== unsent)
        this.#connections.set(peer, { unsent, stuckAt: this.#lookedAt, endedAt: undefined });
    }
    for (const [peer, watched] of this.#connections) if (!seen.has(peer)) watched.endedAt ??= now;
    this.#lookedAt = now;
  }

  /** Milliseconds from the time at which a peer was stuck to the end of its connection, of each that has ended. */
  times(): number[] {
    return [...this.#connections.values()].flatMap(({ stuckAt, endedAt }) =>
      endedAt === undefined ? [] : endedAt - stuckAt,
    );
  }
}
