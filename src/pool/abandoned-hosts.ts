import type { Clock } from "../lib/clock.ts";
import type { WorkerHost } from "./worker-host.ts";

/**
 * Time that an abandoned worker has to end by itself, unless its place is needed before. It is long, because a worker
 * that is interrupted cannot release what its model holds.
 */
export const LEAVE_GRACE_MS = 5000;

/** Hosts of one slot whose call or load took too long. They get no further call and are to end. */
export class AbandonedHosts {
  readonly #clock: Pick<Clock, "after">;
  /** Each with the task for its end. */
  readonly #hosts = new Map<WorkerHost, () => void>();

  constructor(clock: Pick<Clock, "after">) {
    this.#clock = clock;
  }

  /** Hosts that have not ended. */
  get size(): number {
    return this.#hosts.size;
  }

  /** One of them must end before another host starts in its place. */
  get areExclusive(): boolean {
    return [...this.#hosts.keys()].some(({ exclusive }) => exclusive === true);
  }

  /**
   * Ends a host: an exclusive one as soon as possible, because its place is needed; others by themselves.
   * @param onEnd runs when it has ended
   * @param onStuck runs when it has not ended in time, before it is terminated
   */
  add(host: WorkerHost, onEnd: () => void, onStuck: () => void): void {
    const cancelGrace = this.#clock.after(LEAVE_GRACE_MS, () => {
      onStuck();
      host.terminate();
    });
    this.#hosts.set(host, () => {
      cancelGrace();
      onEnd();
    });
    if (host.exclusive === true) host.terminate();
    else host.close();
  }

  /** A host has ended. Returns false when it is none of them. */
  ended(host: WorkerHost): boolean {
    const onEnd = this.#hosts.get(host);
    this.#hosts.delete(host);
    onEnd?.();
    return onEnd !== undefined;
  }

  /** Terminates all as soon as that does no harm. */
  terminate(): void {
    for (const host of this.#hosts.keys()) host.terminate();
  }
}
