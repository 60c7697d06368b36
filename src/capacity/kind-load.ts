/** Half-life of what was measured, in seconds with audio. */
const HALF_LIFE_S = 60;
/** Measured calls and seconds of audio from which on the measurement counts and not the expectation. */
const MEASURED_CALLS = 3;
const MEASURED_S = 1;
/** Until then the expectation counts for so many seconds of audio: a model that silence never calls costs nothing. */
const EXPECTED_S = 10;
/** Channels for which the expected hold counts in the measured one: few streams say little. */
const EXPECTED_CHANNELS = 8;
/** Half-lives of the measured hold, in seconds: it rises fast and falls slowly. */
const RISE_S = 5;
const FALL_S = 30;

/** What is expected of a channel until enough has been measured. */
export interface ExpectedLoad {
  /** Slabs that it holds. It is also the least that is reckoned with. */
  readonly hold: number;
  /** Seconds of a worker for a second of audio. */
  readonly compute: number;
}

/** The load of all streams of one pattern and model, measured for each channel. */
export class KindLoad {
  /** Channels that are open, and those that are about to be. */
  channels = 0;
  readonly #expected: ExpectedLoad;
  #hold: number;
  /** Worker seconds, seconds of audio that were answered for them, and calls; older ones count less. */
  #computed = 0;
  #answered = 0;
  #calls = 0;
  /** Worker seconds and calls since the last sample. */
  readonly #recent = { computed: 0, calls: 0 };

  constructor(expected: ExpectedLoad) {
    this.#expected = expected;
    this.#hold = expected.hold;
  }

  /** Slabs that a channel holds on average, at times of much speech. */
  get hold(): number {
    return Math.max(this.#expected.hold, this.#hold);
  }

  get measured(): boolean {
    return this.#calls >= MEASURED_CALLS && this.#answered >= MEASURED_S;
  }

  /** Seconds of a worker that a second of audio takes. */
  get compute(): number {
    if (this.measured) return this.#computed / this.#answered;
    return (this.#computed + this.#expected.compute * EXPECTED_S) / (this.#answered + EXPECTED_S);
  }

  /** A final was answered. @param workerMs its part of the call */
  called(workerMs: number): void {
    this.#recent.computed += workerMs / 1000;
    this.#recent.calls += 1;
  }

  /**
   * Takes a sample of the streams that have been open for a while.
   * @param slabs that all of them hold @param channels of all of them
   * @param answeredSeconds of all channels since the last sample
   * @param seconds since the last sample
   */
  sample(slabs: number, channels: number, answeredSeconds: number, seconds: number): void {
    if (answeredSeconds > 0) {
      const weight = 0.5 ** (seconds / HALF_LIFE_S);
      this.#computed = this.#computed * weight + this.#recent.computed;
      this.#answered = this.#answered * weight + answeredSeconds;
      this.#calls = this.#calls * weight + this.#recent.calls;
      Object.assign(this.#recent, { computed: 0, calls: 0 });
    }
    const { hold } = this.#expected;
    const mean = (slabs + hold * EXPECTED_CHANNELS) / (channels + EXPECTED_CHANNELS);
    const halfLife = mean > this.#hold ? RISE_S : FALL_S;
    this.#hold += (mean - this.#hold) * (1 - 0.5 ** (seconds / halfLife));
  }
}
