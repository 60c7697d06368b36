import { Breaker, type BreakerOptions, type BreakerState } from "./breaker.ts";
import type { EngineAddress, EngineError } from "./transport.ts";

/** A call at an endpoint. */
export interface EndpointCall {
  /** Changes when the endpoint leaves or enters service: calls from before do not count for what is after. */
  readonly epoch: number;
}

/** One engine: how many calls it has under way, and whether it is in service. */
export class Endpoint {
  readonly address: EngineAddress;
  /** Host and port as configured, for metrics. Several endpoints have it if the host has several addresses. */
  readonly label: string;
  readonly #breaker: Breaker;
  #epoch = 0;
  #running = 0;
  /** Times until which calls that were given up may go on in the engine. */
  #abandoned: number[] = [];
  #fault = "";

  constructor(address: EngineAddress, label: string, breaker: BreakerOptions) {
    this.address = address;
    this.label = label;
    this.#breaker = new Breaker(breaker);
  }

  /** It takes calls while this is `closed`. */
  get state(): BreakerState {
    return this.#breaker.state;
  }

  /** Why it was taken out of service the last time. */
  get fault(): string {
    return this.#fault;
  }

  /** Calls that the engine works on, as far as is known. */
  outstanding(nowMs: number): number {
    if (this.#abandoned.length > 0) this.#abandoned = this.#abandoned.filter((untilMs) => untilMs > nowMs);
    return this.#running + this.#abandoned.length;
  }

  begin(): EndpointCall {
    this.#running++;
    return { epoch: this.#epoch };
  }

  /** A call was answered. */
  succeed({ epoch }: EndpointCall): void {
    this.#running--;
    if (epoch === this.#epoch) this.#breaker.succeed();
  }

  /** A call failed. Returns the time to be out of service, ms, if that begins now. */
  fail({ epoch }: EndpointCall, error: EngineError): number | undefined {
    this.#running--;
    return epoch === this.#epoch ? this.failCheck(error) : undefined;
  }

  /** A call has ended in a way that says nothing about the endpoint. @param untilMs it may go on until then */
  abandon(untilMs: number): void {
    this.#running--;
    this.#abandoned.push(untilMs);
  }

  /** A check failed that counts like a call. As `fail`. */
  failCheck(error: EngineError): number | undefined {
    const openMs = this.#breaker.fail();
    if (openMs !== undefined) this.#left(error);
    return openMs;
  }

  /** Takes it out of service. Returns for how long, ms. */
  open(error: EngineError): number {
    const openMs = this.#breaker.open();
    this.#left(error);
    return openMs;
  }

  /** The time out of service is over: it is tried. */
  halfOpen(): void {
    this.#breaker.halfOpen();
  }

  /** It has passed the trial, and is in service again. */
  close(): void {
    this.#breaker.close();
    this.#epoch++;
  }

  #left(error: EngineError): void {
    this.#fault = error.message;
    this.#epoch++;
  }
}
