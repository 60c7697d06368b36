import { formatClock } from "../terminal/numbers.ts";
import type { Screen } from "../terminal/screen.ts";

const UPDATE_MS = 100;
const BAR_WIDTH = 30;

/**
 * A live line with the share of the audio that has been sent. In real time it is the clock of the recording, which runs
 * between utterances, too.
 */
export class ProgressBar {
  readonly #screen: Screen;
  readonly #totalSeconds: number | undefined;
  #updatedMs = -Infinity;

  /** `totalSeconds`: length of the audio, if known. */
  constructor(screen: Screen, totalSeconds: number | undefined) {
    this.#screen = screen;
    this.#totalSeconds = totalSeconds;
  }

  /** Shows the seconds of audio sent by `now` (milliseconds). Updates the line every 100 ms at most. */
  update(sentSeconds: number, now: number): void {
    if (now - this.#updatedMs < UPDATE_MS) return;
    this.#updatedMs = now;
    this.finish(sentSeconds);
  }

  /** Shows the seconds of audio that have been sent when no more follow. */
  finish(sentSeconds: number): void {
    if (!this.#screen.noticesOnTerminal) return;
    this.#screen.setLive("progress", progressLine(sentSeconds, this.#totalSeconds));
  }
}

function progressLine(sent: number, total: number | undefined): string {
  if (total === undefined) return `${formatClock(sent)} sent`;
  const share = total === 0 ? 1 : Math.min(1, sent / total);
  const bar = "#".repeat(Math.round(share * BAR_WIDTH)).padEnd(BAR_WIDTH, ".");
  return `[${bar}] ${Math.round(share * 100)} %  ${formatClock(sent)} of ${formatClock(total)} sent`;
}
