import { asJson, asSrt, asText, asVtt } from "../stream/captions.ts";
import type { Recording } from "../stream/record.ts";
import { find, make } from "./dom.ts";

/** The recording whose results are taken away. */
export interface Recorded {
  readonly recording: Recording;
  readonly channels: number;
}

const FILES = {
  "save-json": {
    name: "results.json",
    type: "application/json",
    write: ({ recording }: Recorded) => asJson(recording.results),
  },
  "save-srt": {
    name: "results.srt",
    type: "application/x-subrip",
    write: ({ recording, channels }: Recorded) => asSrt(recording.results, channels),
  },
  "save-vtt": {
    name: "results.vtt",
    type: "text/vtt",
    write: ({ recording, channels }: Recorded) => asVtt(recording.results, channels),
  },
};

/** Buttons that copy and save what was said. */
export class TakeAway {
  readonly #buttons: readonly HTMLButtonElement[];
  readonly #copy = find("copy", HTMLButtonElement);
  #recorded: Recorded | undefined;

  /** @param said tells a person that it is done */
  constructor(said: (words: string) => void) {
    const files = Object.entries(FILES).map(([id, { name, type, write }]) => {
      const button = find(id, HTMLButtonElement);
      button.addEventListener("click", () => this.#recorded && download(name, type, write(this.#recorded)));
      return button;
    });
    this.#buttons = [this.#copy, ...files];
    this.#copy.addEventListener("click", () => {
      if (this.#recorded === undefined) return;
      void copyText(asText(this.#recorded.recording.results, this.#recorded.channels)).then((isCopied) =>
        said(isCopied ? "Copied" : "The browser does not let this page copy"),
      );
    });
  }

  set recorded(recorded: Recorded) {
    this.#recorded = recorded;
    this.changed();
  }

  /** There may be more results, or the first. */
  changed(): void {
    const isEmpty = this.#recorded?.recording.isEmpty ?? true;
    for (const button of this.#buttons) button.disabled = isEmpty;
  }
}

function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

async function copyText(text: string): Promise<boolean> {
  // Only pages from https:// and from this machine have it.
  const clipboard = navigator.clipboard as Clipboard | undefined;
  try {
    await clipboard?.writeText(text);
    return clipboard !== undefined;
  } catch {
    return false;
  }
}
