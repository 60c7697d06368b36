import { find } from "./dom.ts";

/** Milliseconds for which a word in between stays. */
const SAID_MS = 2_500;

/** One line on what is going on, which screen readers read aloud. */
export class Status {
  readonly #place = find("status", HTMLElement);
  #server = "Connecting";
  #stream: string | undefined;
  #isLost = false;
  #said: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** What is known of the server while nothing is streamed. */
  set server(words: string) {
    this.#server = words;
    this.#show();
  }

  /** Undefined: nothing is streamed. */
  set stream(words: string | undefined) {
    this.#stream = words;
    if (words === undefined) this.#isLost = false;
    this.#show();
  }

  /** The connection is lost, and another one is tried. */
  set isLost(isLost: boolean) {
    this.#isLost = isLost;
    this.#show();
    if (!isLost && this.#stream !== undefined) this.say("The connection is back: the stream goes on");
  }

  /** Says something for a moment. */
  say(words: string): void {
    this.#said = words;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#said = undefined;
      this.#show();
    }, SAID_MS);
    this.#show();
  }

  #show(): void {
    const lost = this.#isLost ? "The connection is lost; going on as soon as it is back" : undefined;
    const words = this.#said ?? lost ?? this.#stream ?? this.#server;
    const state = this.#isLost
      ? "lost"
      : this.#stream !== undefined
        ? "live"
        : this.#server === "Ready"
          ? "idle"
          : "problem";
    this.#place.dataset["state"] = state;
    if (this.#place.textContent !== words) this.#place.textContent = words;
  }
}
