export interface TripLimits {
  /** Above this value the trip goes on, below `leave` it goes off again. */
  readonly enter: number;
  readonly leave: number;
  /** Milliseconds for which the value must stay there. */
  readonly afterMs: number;
}

/** A limit with hysteresis: it does not flap when the value is near it, nor for a moment's peak. */
export class Trip {
  readonly #limits: TripLimits;
  #on = false;
  /** Since when, in milliseconds, the value has been on the other side. */
  #since: number | undefined;

  constructor(limits: TripLimits) {
    this.#limits = limits;
  }

  get on(): boolean {
    return this.#on;
  }

  /** @param now milliseconds */
  update(value: number, now: number): void {
    const { enter, leave, afterMs } = this.#limits;
    const crosses = this.#on ? value < leave : value > enter;
    if (!crosses) return void (this.#since = undefined);
    this.#since ??= now;
    if (now - this.#since < afterMs) return;
    this.#on = !this.#on;
    this.#since = undefined;
  }
}
