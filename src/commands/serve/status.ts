import type { LiveStats } from "../../telemetry/metrics/live-stats.ts";
import type { Output } from "../terminal/screen.ts";
import { Screen } from "../terminal/screen.ts";

const REFRESH_MS = 500;
/** The real-time factor is that of the last few seconds, so that it moves when things change. */
const WINDOW_REFRESHES = 10;

const MIB = 1024 * 1024;

export interface StatusSource {
  live(): LiveStats;
  /** Resident memory of the process, bytes. */
  memory(): number;
}

/**
 * What a person at a terminal sees of a server: records of the log, and below them one line that changes in place. To be disposed
 * before the terminal is somebody else's.
 */
export class ServeStatus implements Disposable {
  readonly #screen: Screen;
  readonly #past: LiveStats[] = [];
  #source: StatusSource | undefined;
  #timer: Timer | undefined;

  constructor(out: Output, err: Output) {
    this.#screen = new Screen(out, err, { colour: false });
  }

  /** A record of the log, with its line feed. */
  log(line: string): void {
    void this.#screen.note(line.trimEnd());
  }

  /** A line for standard output, which may be the same terminal. */
  print(line: string): void {
    void this.#screen.print(line);
  }

  /** Shows the line and keeps it up to date. */
  follow(source: StatusSource): void {
    this.#source = source;
    this.#timer = setInterval(() => this.refresh(), REFRESH_MS);
    this.#timer.unref();
    this.refresh();
  }

  refresh(): void {
    if (this.#source === undefined) return;
    const now = this.#source.live();
    this.#past.push(now);
    const before = this.#past.length > WINDOW_REFRESHES ? this.#past.shift() : this.#past[0];
    this.#screen.live("status", statusLine(before ?? now, now, this.#source.memory()));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#source = undefined;
    this.#screen.clear();
  }
}

/** `before` and `now` are the two ends of the time that the real-time factor is of. */
export function statusLine(before: LiveStats, now: LiveStats, memory: number): string {
  const audio = now.audio_seconds - before.audio_seconds;
  const factor = audio > 0 ? ((now.inference_seconds - before.inference_seconds) / audio).toFixed(3) : "-";
  const { finals, interims, running } = now.queue;
  const arena = now.arena.bytes === 0 ? 0 : Math.round((now.arena.used_bytes / now.arena.bytes) * 100);
  return [
    `sessions ${now.sessions}, streams ${now.streams}`,
    `real-time factor ${factor}`,
    `queue ${finals + interims}, workers busy ${running} of ${now.workers}`,
    `memory ${Math.round(memory / MIB)} MiB, audio ${arena} %`,
  ].join("  |  ");
}
