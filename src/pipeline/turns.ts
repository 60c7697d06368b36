import type { Job, Outcome } from "../model/job.ts";
import { losesState } from "./lost-stream.ts";
import type { PatternContext, PipelineStart } from "./pattern.ts";
import type { Pipeline } from "./pipeline.ts";

/** What follows from the outcome of a call. */
interface Called {
  /** Position that the times of words in its output count from. */
  readonly origin: number;
  /** What the calls before have left is lost. */
  readonly isLost: boolean;
}

/** What calls of a model in turn leave for each other. */
export interface Turns {
  /** See `Pipeline.modelState`. */
  readonly state: Pipeline["modelState"];
  /** The model has a last call at the end of a stream. */
  readonly finishes: boolean;
  /** Returns the call for a block, or for the end of the stream; undefined: there is nothing to finish. */
  next(job: Job): Job | undefined;
  called(call: Job, outcome: Outcome): Called;
}

/** @param state of the model, from a stream that this one goes on from */
export function turnsOf({ keepsState, pinned }: PatternContext, state: PipelineStart["modelState"]): Turns {
  if (pinned !== undefined) return new PinnedTurns();
  return keepsState ? new StateTurns(state) : STATELESS;
}

/** The model keeps no state and is only called in turn. */
const STATELESS: Turns = {
  state: undefined,
  finishes: false,
  next: (job) => job,
  called: ({ start }) => ({ origin: start, isLost: false }),
};

/** Each call gets the state that the last good call has returned. */
class StateTurns implements Turns {
  readonly finishes = true;
  /** Undefined until a call has succeeded. */
  #state: { readonly value: unknown } | undefined;

  constructor(state: { readonly value: unknown } | undefined) {
    this.#state = state;
  }

  get state(): { readonly value: unknown } | undefined {
    return this.#state;
  }

  next(job: Job): Job | undefined {
    if (this.#state !== undefined) return { step: "step", ...job, state: this.#state.value };
    return job.step === "finish" ? undefined : { ...job, step: "start" };
  }

  called({ step, start }: Job, outcome: Outcome): Called {
    const isLast = step === "finish";
    // After a failure the stream goes on from the last good state.
    if (outcome.status === "ok" && !isLast) this.#state = { value: outcome.state };
    return { origin: isLast ? 0 : start, isLost: false };
  }
}

/** The stream stays in the worker that has opened it. When that ends, another stream begins with the next block. */
class PinnedTurns implements Turns {
  readonly finishes = true;
  /** First sample of the stream in the worker; undefined: there is none. */
  #openedAt: number | undefined;

  get state(): "pinned" | undefined {
    return this.#openedAt === undefined ? undefined : "pinned";
  }

  next(job: Job): Job | undefined {
    if (this.#openedAt !== undefined) return { step: "step", ...job };
    return job.step === "finish" ? undefined : { ...job, step: "start" };
  }

  called({ step, start }: Job, outcome: Outcome): Called {
    const before = this.#openedAt;
    if (outcome.status === "ok") {
      const isLost = outcome.opened === true && step !== "start";
      if (step === "start" || isLost) this.#openedAt = start;
      return { origin: this.#openedAt ?? start, isLost };
    }
    const isLost = outcome.status === "failed" && losesState(outcome, before !== undefined);
    if (isLost) this.#openedAt = undefined;
    return { origin: start, isLost };
  }
}
