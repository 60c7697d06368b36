import type { Clock } from "../../lib/clock.ts";
import type { BreakerOptions } from "./breaker.ts";
import { Endpoint, type EndpointCall } from "./endpoint.ts";
import { type EngineAddress, EngineError } from "./transport.ts";

/** An address of an engine, and the URL as configured. */
export interface LabelledAddress extends EngineAddress {
  readonly label: string;
}

export interface EndpointsOptions {
  readonly breaker: BreakerOptions;
  /** Time between checks of each endpoint, ms; 0: only those that are out of service are checked. */
  readonly healthMs: number;
  /** Resolves if an engine reports that it is ready; otherwise rejects with EngineError. */
  readonly check: (address: EngineAddress) => Promise<void>;
  /** Resolves if an engine makes an inference; otherwise rejects with EngineError. */
  readonly probe: (address: EngineAddress) => Promise<void>;
  /** Receives why no endpoint is in service; undefined: one is again. */
  readonly onAvailability: (reason: string | undefined) => void;
  /** Receives each change of an endpoint for operators, in words. */
  readonly log: (message: string) => void;
  readonly clock: Clock;
  /** From 0 to 1, exclusive. */
  readonly random: () => number;
}

/** The engines of a model: which of them get calls. Checks those that are out of service until they work again. */
export class Endpoints {
  readonly #options: EndpointsOptions;
  /** By URL. */
  readonly #endpoints = new Map<string, Endpoint>();
  /** What each endpoint waits for: its next check. */
  readonly #timers = new Map<Endpoint, () => void>();
  #reason: string | undefined;

  constructor(options: EndpointsOptions) {
    this.#options = options;
  }

  /** All endpoints that there are now. */
  get all(): Iterable<Endpoint> {
    return this.#endpoints.values();
  }

  /** Why no endpoint is in service; undefined: one is. */
  get unavailable(): string | undefined {
    return this.#reason;
  }

  /** Adds endpoints that are new, and removes those that are no more. Calls under way go on. */
  update(addresses: readonly LabelledAddress[]): void {
    const urls = new Set(addresses.map(({ url }) => url));
    for (const [url, endpoint] of this.#endpoints) if (!urls.has(url)) this.#remove(url, endpoint);
    for (const { label, ...address } of addresses) {
      if (this.#endpoints.has(address.url)) continue;
      const endpoint = new Endpoint(address, label, this.#options.breaker);
      this.#endpoints.set(address.url, endpoint);
      this.#scheduleHealth(endpoint);
    }
    this.#report();
  }

  /** Chooses the less busy one of two endpoints at random. Undefined: none takes calls. @param tried avoided, if possible */
  choose(tried: ReadonlySet<Endpoint> = new Set()): Endpoint | undefined {
    const able = [...this.all].filter(({ state }) => state === "closed");
    const others = able.filter((endpoint) => !tried.has(endpoint));
    const candidates = others.length > 0 ? others : able;
    const draw = (count: number) => Math.floor(this.#options.random() * count);
    const first = draw(candidates.length);
    if (candidates.length < 2) return candidates[first];
    const second = (first + 1 + draw(candidates.length - 1)) % candidates.length;
    const nowMs = this.#options.clock.now();
    const [a, b] = [candidates[first]!, candidates[second]!];
    return b.outstanding(nowMs) < a.outstanding(nowMs) ? b : a;
  }

  /** A call failed in a way that says that the endpoint does not work. */
  failed(endpoint: Endpoint, call: EndpointCall, error: EngineError): void {
    this.#left(endpoint, endpoint.fail(call, error), error);
  }

  /** Tries all endpoints that are in service. Those that do not work are taken out. */
  async tryAll(): Promise<void> {
    const inService = [...this.all].filter(({ state }) => state === "closed");
    const attempt = async (endpoint: Endpoint): Promise<void> => {
      const error = await errorOf(this.#options.probe(endpoint.address));
      if (error !== undefined && endpoint.state === "closed") this.#left(endpoint, endpoint.open(error), error);
    };
    await Promise.all(inService.map(attempt));
  }

  /** Returns true if no other endpoint is in service. */
  isLast(endpoint: Endpoint): boolean {
    return ![...this.all].some((other) => other !== endpoint && other.state === "closed");
  }

  close(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    this.#endpoints.clear();
  }

  #remove(url: string, endpoint: Endpoint): void {
    this.#timers.get(endpoint)?.();
    this.#timers.delete(endpoint);
    this.#endpoints.delete(url);
  }

  /** @param openMs time that the endpoint is out of service; undefined: it stays in service */
  #left(endpoint: Endpoint, openMs: number | undefined, error: EngineError): void {
    if (openMs === undefined || !this.#isCurrent(endpoint)) return;
    this.#options.log(`${endpoint.address.url} is out of service: ${error.message}`);
    this.#schedule(endpoint, openMs, () => this.#tryAgain(endpoint));
    this.#report();
  }

  /** Tries an endpoint that is out of service. No call of a client is put at risk for that. */
  async #tryAgain(endpoint: Endpoint): Promise<void> {
    endpoint.halfOpen();
    const { check, probe, log } = this.#options;
    const error = (await errorOf(check(endpoint.address))) ?? (await errorOf(probe(endpoint.address)));
    if (!this.#isCurrent(endpoint)) return;
    if (error !== undefined) {
      this.#schedule(endpoint, endpoint.open(error), () => this.#tryAgain(endpoint));
    } else {
      endpoint.close();
      log(`${endpoint.address.url} is in service again`);
      this.#scheduleHealth(endpoint);
    }
    this.#report();
  }

  #scheduleHealth(endpoint: Endpoint): void {
    const { healthMs } = this.#options;
    if (healthMs > 0) this.#schedule(endpoint, healthMs, () => this.#checkHealth(endpoint));
  }

  async #checkHealth(endpoint: Endpoint): Promise<void> {
    const error = await errorOf(this.#options.check(endpoint.address));
    // Calls may have taken it out of service meanwhile.
    if (!this.#isCurrent(endpoint) || endpoint.state !== "closed") return;
    this.#scheduleHealth(endpoint);
    if (error === undefined) return;
    // A busy engine may be late. One that does not listen, or reports that it is not ready, is out of service.
    const openMs = error.fault === "timeout" ? endpoint.failCheck(error) : endpoint.open(error);
    this.#left(endpoint, openMs, error);
  }

  #schedule(endpoint: Endpoint, delayMs: number, task: () => Promise<void>): void {
    this.#timers.get(endpoint)?.();
    this.#timers.set(
      endpoint,
      this.#options.clock.after(delayMs, () => void task()),
    );
  }

  #isCurrent(endpoint: Endpoint): boolean {
    return this.#endpoints.get(endpoint.address.url) === endpoint;
  }

  #report(): void {
    const all = [...this.all];
    const out = all.filter(({ state }) => state !== "closed");
    const faults = [...new Set(out.map(({ fault }) => fault))].join("; ");
    const none =
      all.length === 0 ? "no address is known" : `${all.length === 1 ? "it is" : "all are"} out of service: ${faults}`;
    const reason = out.length < all.length ? undefined : `no inference server is available (${none})`;
    if (reason === this.#reason) return;
    this.#reason = reason;
    this.#options.onAvailability(reason);
  }
}

/** Returns the error of a check; undefined: there is none. */
async function errorOf(check: Promise<void>): Promise<EngineError | undefined> {
  try {
    await check;
    return undefined;
  } catch (error) {
    return error instanceof EngineError ? error : new EngineError("refused", String(error));
  }
}
