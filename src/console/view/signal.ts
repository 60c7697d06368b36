import type { ChannelHistory } from "../audio/history.ts";
import type { Recording } from "../stream/record.ts";
import { find, oncePerFrame } from "./dom.ts";
import { Track } from "./track.ts";

/** What the signal view shows. */
export interface SignalContent {
  readonly histories: readonly ChannelHistory[];
  readonly recording: Recording;
  readonly thresholdDb: number | undefined;
}

/** The tracks of all channels, with the part of the time that they show. It follows the audio until somebody scrolls. */
export class SignalView {
  readonly #tracks = find("tracks", HTMLElement);
  readonly #position = find("position", HTMLInputElement);
  readonly #span = find("span", HTMLSelectElement);
  #content: SignalContent | undefined;
  #shown: Track[] = [];
  #follows = true;
  /** Draws before the next frame. */
  readonly changed = oncePerFrame(() => this.#draw());

  constructor() {
    this.#position.addEventListener("input", () => {
      this.#follows = Number(this.#position.value) >= Number(this.#position.max) - 0.2;
      this.changed();
    });
    this.#span.addEventListener("change", this.changed);
    new ResizeObserver(this.changed).observe(this.#tracks);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.changed);
  }

  show(content: SignalContent): void {
    const channels = content.histories.length;
    if (this.#shown.length !== channels) {
      this.#shown = content.histories.map((_, channel) => new Track(channel, channels));
      this.#tracks.replaceChildren(...this.#shown.map(({ element }) => element));
      this.#tracks.dataset["many"] = String(channels > 2);
    }
    if (content.recording !== this.#content?.recording) this.#follows = true;
    this.#content = content;
    this.changed();
  }

  /** Moves to a time, in seconds. */
  seek(time: number): void {
    this.#position.value = String(Math.max(0, time - Number(this.#span.value) / 4));
    this.#follows = false;
    this.changed();
  }

  #draw(): void {
    const content = this.#content;
    if (content === undefined) return;
    const { histories, recording, thresholdDb } = content;
    const span = Number(this.#span.value);
    const seconds = histories[0]?.seconds ?? 0;
    const [first] = histories[0]?.range ?? [0];
    this.#position.min = String(first * (histories[0]?.windowSeconds ?? 0));
    this.#position.max = String(Math.max(0, seconds - span));
    if (this.#follows) this.#position.value = this.#position.max;
    const start = Math.min(Number(this.#position.value), Math.max(0, seconds - span));
    this.#position.setAttribute("aria-valuetext", `${start.toFixed(1)} seconds`);
    const results = recording.results;
    for (const [channel, track] of this.#shown.entries()) {
      const shown = results.filter(
        (each) => each.channel === channel && each.end >= start && each.start <= start + span,
      );
      const content = { history: histories[channel]!, speech: recording.speech(channel), results: shown, thresholdDb };
      track.draw(content, start, span);
    }
  }
}
