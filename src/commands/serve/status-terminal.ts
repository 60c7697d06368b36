import type { LiveStats } from "../../telemetry/metrics/live-stats.ts";
import type { Output } from "../terminal/output.ts";
import { Screen } from "../terminal/screen.ts";

const REFRESH_MS = 500;
/** The real-time factor is measured over this many refreshes, so that it follows changes in the load. */
const WINDOW_REFRESHES = 10;

const MIB = 1024 * 1024;

/** Time after which a load is shown. Most end before. */
const SHOW_LOAD_MS = 1000;

/** The output of the status line. */
export interface StatusOutput extends Output {
  /** Bytes that have not been written yet. */
  readonly waiting?: number;
}

export interface StatusSource {
  live(): LiveStats;
  /** Returns the resident memory of the server, in bytes. */
  memory(): number;
  /** Describes the processes of a server that has several. */
  processes?(): string;
}

/**
 * The terminal of a server: log records, and a status line below them that is updated in place. Dispose it before the
 * program ends, so that the status line is removed.
 */
export class StatusTerminal implements Disposable {
  readonly #screen: Screen;
  readonly #err: StatusOutput;
  /** Earlier numbers, at most WINDOW_REFRESHES. */
  readonly #past: LiveStats[] = [];
  #source: StatusSource | undefined;
  #timer: Timer | undefined;

  constructor(out: Output, err: StatusOutput) {
    this.#err = err;
    this.#screen = new Screen(out, err, { colour: false });
  }

  /** Prints a log record, which ends in a line feed, to standard error. */
  log(record: string): void {
    void this.#screen.notice(record.trimEnd());
  }

  /** Prints a line to standard output, which may be the same terminal. */
  print(line: string): void {
    void this.#screen.print(line);
  }

  /** Shows a line about the load of the models, unless it is over soon, and refreshes it until `start`. */
  startLoading(describe: () => string): void {
    const show = (): void => this.#show(describe());
    this.#timer = setTimeout(() => {
      show();
      this.#timer = setInterval(show, REFRESH_MS);
      this.#timer.unref();
    }, SHOW_LOAD_MS);
    this.#timer.unref();
  }

  /** Shows the status line and refreshes it until the terminal is disposed. */
  start(source: StatusSource): void {
    clearTimeout(this.#timer);
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
    const line = statusLine(before ?? now, now, this.#source.memory());
    const processes = this.#source.processes?.();
    this.#show(processes === undefined ? line : `${processes}  |  ${line}`);
  }

  #show(line: string): void {
    // A terminal that was stopped, as with Ctrl-S, would show every refresh later.
    if ((this.#err.waiting ?? 0) === 0) this.#screen.setLive("status", line);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#source = undefined;
    this.#screen.clearLive();
  }
}

/** Formats the status line. The real-time factor is that between `before` and `now`; `memory` is in bytes. */
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
