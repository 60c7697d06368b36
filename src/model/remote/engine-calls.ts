import type { Clock } from "../../lib/clock.ts";
import type { Call } from "../model.ts";
import { callEnding } from "./call-ending.ts";
import type { CallMeter } from "./call-meter.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Endpoints } from "./endpoints.ts";
import { BUSY_OR_DOWN, RemoteFailure } from "./remote-failure.ts";
import type { RetryBudget } from "./retry-budget.ts";
import { type EngineAnswer, EngineError, type EngineRequest, type EngineTransport } from "./transport.ts";

export interface EngineCallsOptions {
  readonly transport: EngineTransport;
  readonly endpoints: Endpoints;
  /** Longest time for a call, with its retries, ms. */
  readonly timeoutMs: number;
  /** Most retries of a call. */
  readonly retries: number;
  readonly budget: RetryBudget;
  readonly meter: CallMeter;
  readonly clock: Clock;
}

/** What a call of the model says about its inference. */
export type CallContext = Pick<Call, "final" | "signal" | "traceparent">;

/** Inferences at the endpoints of a model, with retries. */
export class EngineCalls {
  readonly #options: EngineCallsOptions;

  constructor(options: EngineCallsOptions) {
    this.#options = options;
  }

  /**
   * Runs an inference at an endpoint that is in service. Rejects with RemoteFailure.
   * @param chosen receives the endpoint of each attempt
   */
  async infer(
    request: EngineRequest,
    call: CallContext,
    chosen: (endpoint: Endpoint) => void = () => {},
  ): Promise<EngineAnswer> {
    const { endpoints, retries, budget, clock, meter } = this.#options;
    const deadlineMs = clock.now() + this.#options.timeoutMs;
    const tried = new Set<Endpoint>();
    budget.earn();
    for (let attempt = 0; ; attempt++) {
      const endpoint = endpoints.choose(tried);
      if (endpoint === undefined) throw RemoteFailure.unavailable(endpoints.unavailable);
      chosen(endpoint);
      try {
        return await this.inferAt(endpoint, request, call, deadlineMs);
      } catch (error) {
        const fault = error as EngineError;
        tried.add(endpoint);
        const mayTry = call.final && attempt < retries && isElsewhere(fault) && clock.now() < deadlineMs;
        if (!mayTry || endpoints.unavailable !== undefined || !budget.take()) throw RemoteFailure.from(fault);
        meter.retried(fault);
      }
    }
  }

  /** Runs an inference at this endpoint, once. Rejects with EngineError. */
  async inferAt(
    endpoint: Endpoint,
    request: EngineRequest,
    call: CallContext,
    deadlineMs = this.#options.clock.now() + this.#options.timeoutMs,
  ): Promise<EngineAnswer> {
    const { endpoints } = this.#options;
    const begun = endpoint.begin();
    try {
      const answer = await this.#attempt(endpoint, request, call, deadlineMs);
      endpoint.succeed(begun);
      return answer;
    } catch (error) {
      const fault = error as EngineError;
      if (fault.fault === "aborted") endpoint.abandon(deadlineMs);
      else if (isAnswer(fault, endpoints.isLast(endpoint))) endpoint.succeed(begun);
      else endpoints.failed(endpoint, begun, fault);
      throw fault;
    }
  }

  async #attempt(
    { address, label }: Endpoint,
    request: EngineRequest,
    { signal, traceparent }: CallContext,
    deadlineMs: number,
  ): Promise<EngineAnswer> {
    const { transport, meter, clock } = this.#options;
    const measured = meter.begin(label, traceparent);
    using ending = callEnding(clock, deadlineMs - clock.now(), signal);
    try {
      const answer = await transport.infer(address, request, { ...ending.options, ...measured.options });
      measured.end();
      return answer;
    } catch (error) {
      const fault = error instanceof EngineError ? error : new EngineError("bad_answer", String(error));
      measured.end(fault);
      throw fault;
    }
  }
}

/** Returns true for a failure after which another endpoint may do: the engine has not worked on the request. */
function isElsewhere({ fault, status }: EngineError): boolean {
  return fault === "refused" || fault === "reset" || (fault === "status" && BUSY_OR_DOWN.has(status ?? 0));
}

/**
 * Returns true for a refusal that says that the engine works, and for one that has too much to do. The last endpoint in
 * service also keeps it when its model fails, or its answer cannot be read, since that may be due to the audio of one
 * stream, and must not take the others down.
 */
function isAnswer({ fault, status = 0 }: EngineError, isLast: boolean): boolean {
  if (fault === "bad_answer") return isLast;
  if (fault !== "status") return false;
  return status < 500 || (isLast && !BUSY_OR_DOWN.has(status));
}
