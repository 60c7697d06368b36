import type { CallEnds, CallEndsOptions, Ended } from "./call-ends.ts";
import type { AssignedCall } from "./queued-job.ts";

/** Time that an aborted call has to end. After it, its worker is replaced. */
export const ABORT_GRACE_MS = 5000;

export interface OverdueCallsOptions extends Omit<CallEndsOptions, "outcomes" | "disposals"> {
  readonly ends: CallEnds;
  /** Longest time for one call. */
  readonly timeoutMs: number;
}

/**
 * Ends calls that take too long. If the model declares `concurrency`, a call is answered and aborted, and its worker lives
 * on unless the call does not end; otherwise the worker is replaced at once.
 */
export class OverdueCalls {
  readonly #options: OverdueCallsOptions;

  constructor(options: OverdueCallsOptions) {
    this.#options = options;
  }

  /** Ends a call that has reached its deadline, unless its result has come by now. */
  handle(call: AssignedCall): void {
    const { info, workers, scheduler, ends } = this.#options;
    const { worker } = call;
    const late: Ended[] = [];
    const canAbort = info.concurrency !== undefined;
    // In this order: a worker that takes another call meanwhile has written the result of the one before.
    if (!canAbort) scheduler.withdrawFrom(worker);
    ends.take(worker, () => workers.poll(worker), late);
    if (isAssigned(call)) {
      if (canAbort) this.#abort(call);
      else if (late.length === 0) this.#replace(call);
    }
    for (const each of late) ends.deliver(each);
  }

  #abort(call: AssignedCall): void {
    const { workers, telemetry, ends, clock, timeoutMs } = this.#options;
    const { worker, number, expired } = call;
    const now = clock.now();
    if (expired) {
      telemetry.abortIgnored(worker, ABORT_GRACE_MS);
      ends.abandon(worker, "worker_crashed", "its worker was replaced, because another call did not end");
    } else if (!workers.hasTaken(worker, number)) {
      // It waits for others, because the model blocks in spite of its concurrency.
      call.deadlineMs = now + timeoutMs;
    } else {
      telemetry.callAborted(worker, timeoutMs);
      ends.expire(call, this.#tooLong, now + ABORT_GRACE_MS);
    }
  }

  #replace({ worker }: AssignedCall): void {
    const { telemetry, ends, timeoutMs } = this.#options;
    telemetry.callTimedOut(worker, timeoutMs);
    ends.abandon(worker, "inference_timeout", this.#tooLong);
  }

  get #tooLong(): string {
    return `the model took longer than ${this.#options.timeoutMs} ms`;
  }
}

/** Returns whether the call has not ended, nor its worker. */
function isAssigned(call: AssignedCall): boolean {
  return call.jobs.some((job) => job.call === call);
}
