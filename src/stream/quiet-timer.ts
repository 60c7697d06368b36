/**
 * Detects that a client sends no audio any more: `flush_after_ms` of its start. It is looked at a few times a second
 * (see `Stream.flushIfQuiet`), so it fires up to two looks late.
 *
 * It fires at the second look in a row that finds the time over: between two looks the sockets are read. Audio that
 * came while the process was frozen or busy is therefore seen before the timer can fire.
 */
export class QuietTimer {
  readonly #afterMs: number;
  /** Time of the last audio, or at which it became possible to read some, in milliseconds. */
  #since = 0;
  /** Audio has come since the last look. */
  #audio = false;
  /** Audio has come since the timer fired. */
  #armed = false;
  /** The last look found that the time is over. */
  #over = false;

  /** @param afterMs milliseconds without audio */
  constructor(afterMs: number) {
    this.#afterMs = afterMs;
  }

  /** Audio has come. It is called for every message, so it does not look at a clock. */
  restart(): void {
    this.#audio = true;
  }

  /**
   * Returns true once when no audio has come for the time.
   * @param now milliseconds
   * @param receivedAt time of the client's last message
   * @param reading false: audio may wait unread, so the time does not run
   */
  fires(now: number, receivedAt: number, reading: boolean): boolean {
    if (this.#audio) {
      this.#since = receivedAt;
      this.#armed = true;
    }
    if (!reading) this.#since = now;
    const over = this.#armed && !this.#audio && now - this.#since >= this.#afterMs;
    const fires = over && this.#over;
    this.#over = over;
    this.#audio = false;
    if (fires) this.#armed = false;
    return fires;
  }
}
