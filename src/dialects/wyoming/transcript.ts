import type { Message } from "../dialect.ts";
import { writeEvent } from "./events.ts";

/** A text that was recognised. */
interface Heard {
  readonly text: string;
  /** Number of the stream, and seconds from its first sample. */
  readonly stream: number;
  readonly start: number;
}

/** A failure on a part of the audio. */
interface Failure {
  readonly code: string;
  readonly message: string;
}

/** Longest transcript of a command, in UTF-16 code units: some twenty hours of speech. */
export const MAX_CHARACTERS = 2 ** 20;
const TOO_LONG: Failure = {
  code: "message_too_big",
  message: `the transcript of this command is longer than ${MAX_CHARACTERS} characters; allowed: shorter commands`,
};

/** The end of a command: what reports it, or why there is nothing to report. */
export interface CommandEnd {
  readonly messages: readonly Message[];
  readonly failure?: Failure;
}

/**
 * The transcript of one command: the texts of all channels, and of the streams into which a change of the format has
 * cut it. Texts go out as they come, too; those are in the order of their coming.
 */
export class Transcript {
  #heard: Heard[] = [];
  #streams = 0;
  #characters = 0;
  #failure: Failure | undefined;
  #language: string | undefined;
  #isOpen = false;

  /** A stream of this command has begun. */
  streamStarted(): void {
    this.#streams += 1;
  }

  /** Takes a text. Returns the messages that report it. */
  add(text: string, start: number, language: string | undefined): readonly Message[] {
    this.#language = language ?? this.#language;
    if (text === "" || this.#isTooLong) return [];
    this.#characters += text.length;
    if (this.#isTooLong) {
      this.#heard = [];
      this.#failure = TOO_LONG;
      return [];
    }
    this.#heard.push({ text, stream: this.#streams, start });
    const chunk = writeEvent("transcript-chunk", { text: `${text} ` });
    if (this.#isOpen) return [chunk];
    this.#isOpen = true;
    return [writeEvent("transcript-start", this.#languageField), chunk];
  }

  /** A part of the audio has no text. */
  failed(failure: Failure): void {
    this.#failure ??= failure;
  }

  /**
   * The command is over. After a failure because of which there is no text at all, there is no transcript: an empty one
   * would be taken for silence.
   */
  end(language: string | undefined): CommandEnd {
    if (this.#heard.length === 0 && this.#failure !== undefined) return { messages: [], failure: this.#failure };
    this.#language ??= language;
    const ordered = this.#heard.toSorted((a, b) => a.stream - b.stream || a.start - b.start);
    const text = ordered.map((each) => each.text).join(" ");
    const messages = [writeEvent("transcript", { text, ...this.#languageField })];
    if (this.#isOpen) messages.push(writeEvent("transcript-stop"));
    return { messages };
  }

  /** Returns the messages that end what has gone out so far, because the command is given up. */
  cancel(): readonly Message[] {
    return this.#isOpen ? [writeEvent("transcript-stop")] : [];
  }

  get #isTooLong(): boolean {
    return this.#characters > MAX_CHARACTERS;
  }

  get #languageField(): { language?: string } {
    return this.#language === undefined ? {} : { language: this.#language };
  }
}
