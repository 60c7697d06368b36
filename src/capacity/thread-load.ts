import { Trip } from "./trip.ts";

/** Totals of the main thread since its start. */
export interface ThreadTotals {
  /** Processor time, in seconds. */
  readonly cpu: number;
  /** Time in which it worked or waited for a processor, in seconds. */
  readonly busy: number;
  /** Seconds of audio decoded, each stream counted once. */
  readonly audio: number;
  /** Connections that were opened or refused. */
  readonly connections: number;
}

/** Expected cost of a second of audio and of a connection, in seconds, and how many of each it counts for. */
const AUDIO = { cost: 0.0002, weight: 5 };
const CONNECTION = { cost: 0.0005, weight: 10 };
/** Least cost of a second of audio that is reckoned with. */
const MIN_AUDIO_COST = 0.00002;
/** Audio from which on the cost counts as measured, in seconds. */
const MEASURED_S = 10;
/** Half-lives in seconds: of the costs, and of the share of streams that send audio when it falls. */
const COST_HALF_LIFE_S = 20;
const OCCUPANCY_HALF_LIFE_S = 0.2;
const IDLE_HALF_LIFE_S = 60;
/** Streams are expected to send audio in real time until they are so old, in milliseconds. */
const YOUNG_MS = 2_000;
/** A thread that is so busy for a second has no room, whatever was reckoned. */
const SATURATED = { enter: 0.97, leave: 0.9, afterMs: 1_000 };
const AVAILABLE_HALF_LIFE_S = 0.5;
/** Least part of a processor that the thread is expected to get. */
const MIN_AVAILABLE = 0.1;
/** Above this the audio that gets through is less than what is sent. */
const CROWDED = 0.9;

/**
 * The load of the main thread: what it costs to handle a second of audio, and so what all open streams need of it, also
 * those that have just come and not sent anything. Costs of audio and of connections are told apart by least squares,
 * since a crowd that connects costs much for a moment.
 */
export class ThreadLoad {
  /** Sums of products, older ones counting less: connections (c), audio (a), processor time (t). */
  #cc = 0;
  #ca = 0;
  #aa = 0;
  #ct = 0;
  #at = 0;
  #audio = 0;
  #before: (ThreadTotals & { readonly now: number }) | undefined;
  /** Audio that a stream sends on average, in seconds a second. */
  #activity = 1;
  #occupancy = 0;
  /** Part of a processor that the thread gets, or would get: the time in which it does not wait for one. */
  #available = 1;
  readonly #saturation = new Trip(SATURATED);
  /** Streams that have begun, by the time of the sample before. */
  #young: { readonly now: number; streams: number }[] = [];

  /** Share of time in which the thread worked or waited for a processor, over about half a second. */
  get occupancy(): number {
    return this.#occupancy;
  }

  get saturated(): boolean {
    return this.#saturation.on;
  }

  /** Enough audio has been handled to know what it costs. */
  get measured(): boolean {
    return this.#audio >= MEASURED_S;
  }

  /** Seconds of the thread that a second of audio takes. */
  get audioCost(): number {
    const cc = this.#cc + CONNECTION.weight ** 2;
    const aa = this.#aa + AUDIO.weight ** 2;
    const ct = this.#ct + CONNECTION.weight ** 2 * CONNECTION.cost;
    const at = this.#at + AUDIO.weight ** 2 * AUDIO.cost;
    const cost = (cc * at - this.#ca * ct) / (cc * aa - this.#ca ** 2);
    return Math.max(MIN_AUDIO_COST, cost);
  }

  /** Streams that send audio in real time and need this share of the thread, with what it gets of a processor. */
  streams(share: number): number {
    return (share * this.#available) / this.audioCost;
  }

  /** Share of the thread that so many open streams need. */
  demand(streams: number): number {
    let young = 0;
    for (const each of this.#young) young += each.streams;
    young = Math.min(young, streams);
    return ((young + (streams - young) * this.#activity) * this.audioCost) / this.#available;
  }

  /** A stream begins. */
  entered(): void {
    const last = this.#young.at(-1);
    if (last !== undefined) last.streams += 1;
  }

  /** Takes a sample, about ten times a second. @param now milliseconds @param streams that are open */
  sample(now: number, totals: ThreadTotals, streams: number): void {
    const before = this.#before;
    this.#before = { ...totals, now };
    while (this.#young[0] !== undefined && now - this.#young[0].now > YOUNG_MS) this.#young.shift();
    this.#young.push({ now, streams: 0 });
    if (before === undefined || now <= before.now) return;
    const seconds = (now - before.now) / 1000;
    const audio = totals.audio - before.audio;
    const cpu = totals.cpu - before.cpu;
    const busy = totals.busy - before.busy;
    this.#learn(totals.connections - before.connections, audio, cpu, seconds);
    this.#occupancy += (Math.min(1, busy / seconds) - this.#occupancy) * closer(seconds, OCCUPANCY_HALF_LIFE_S);
    const available = Math.min(1, Math.max(MIN_AVAILABLE, 1 - (busy - cpu) / seconds));
    this.#available += (available - this.#available) * closer(seconds, AVAILABLE_HALF_LIFE_S);
    this.#saturation.update(this.#occupancy, now);
    if (streams > 0) this.#follow(audio / seconds / streams, seconds);
  }

  #learn(connections: number, audio: number, cpu: number, seconds: number): void {
    if (connections === 0 && audio === 0) return;
    const weight = 0.5 ** (seconds / COST_HALF_LIFE_S);
    this.#cc = this.#cc * weight + connections ** 2;
    this.#ca = this.#ca * weight + connections * audio;
    this.#aa = this.#aa * weight + audio ** 2;
    this.#ct = this.#ct * weight + connections * cpu;
    this.#at = this.#at * weight + audio * cpu;
    this.#audio += audio;
  }

  #follow(activity: number, seconds: number): void {
    // Files at full speed make room for others.
    const bounded = Math.min(1, activity);
    if (bounded > this.#activity) this.#activity += (bounded - this.#activity) * Math.min(1, seconds);
    else if (this.#occupancy < CROWDED) {
      this.#activity += (bounded - this.#activity) * closer(seconds, IDLE_HALF_LIFE_S);
    }
  }
}

/** The part of the way to a new value that an average goes in so many seconds. */
function closer(seconds: number, halfLifeSeconds: number): number {
  return 1 - 0.5 ** (seconds / halfLifeSeconds);
}
