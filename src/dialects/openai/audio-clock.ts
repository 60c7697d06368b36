/** Seconds that sums of many short pieces may be wrong by. */
const ROUNDING = 1e-6;

/** The audio of a client over all streams of its connection, which come one after the other. Seconds. */
export class AudioClock {
  /** Audio before speech that belongs to it. */
  padding = 0;
  /** Audio of the streams before this one. */
  #before = 0;
  #sent = 0;
  /** Up to where the client or the server has committed. */
  #committed = 0;

  /** Audio that is not committed. */
  get uncommitted(): number {
    return this.#sent - this.#committed + ROUNDING;
  }

  send(seconds: number): void {
    this.#sent += seconds;
  }

  /** Everything sent is committed, or of no use any more. */
  commit(): void {
    this.#committed = this.#sent;
  }

  /** The server has committed up to a time of the open stream. */
  commitUpTo(time: number): void {
    this.#committed = Math.max(this.#committed, this.#before + time);
  }

  /** The open stream has ended. */
  endStream(seconds: number): void {
    this.#before += seconds;
  }

  /** Returns a time of the open stream as milliseconds of all audio. */
  milliseconds(time: number): number {
    return Math.round((this.#before + Math.max(0, time)) * 1000);
  }
}
