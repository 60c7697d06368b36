import { parseEvent } from "../protocol/events.ts";
import type { SentTotals } from "./stream-totals.ts";
import type { ServerEvent } from "./types/events.ts";

/** An event as it was received, with the audio that followed it. */
export interface ReceivedEvent {
  readonly event: ServerEvent;
  /** The text message, unchanged. */
  readonly text: string;
  /** When the event was complete, in milliseconds on the client's clock. */
  readonly receivedMs: number;
  /** The audio of a result: mono, at `event.audio.sample_rate`. */
  readonly audio: Float32Array<ArrayBuffer> | undefined;
  /** With `stopped`: what the client has sent in the stream. */
  readonly sent?: SentTotals | undefined;
}

interface AwaitedAudio {
  readonly event: ServerEvent;
  readonly text: string;
  readonly bytes: number;
}

/** Assembles messages into events: a text message, and the binary message that follows if the event announces audio. */
export class EventReader {
  /** The last event, if its audio has not arrived. */
  #awaited: AwaitedAudio | undefined;

  /** True between an event that announces audio and that audio. */
  get awaitsAudio(): boolean {
    return this.#awaited !== undefined;
  }

  /**
   * Reads a message, received at `now` (milliseconds). Returns the event that it completes, or undefined if the
   * event's audio is still to come. Throws an Error if the message is not valid in the protocol.
   */
  read(data: unknown, now: number): ReceivedEvent | undefined {
    return typeof data === "string" ? this.#readText(data, now) : this.#readAudio(data, now);
  }

  #readText(text: string, now: number): ReceivedEvent | undefined {
    if (this.#awaited !== undefined) throw new Error("a text message in place of the audio that an event announced");
    const event = parseEvent(text);
    if (!("audio" in event) || event.audio === undefined) return { event, text, receivedMs: now, audio: undefined };
    const { bytes } = event.audio;
    if (bytes % Float32Array.BYTES_PER_ELEMENT !== 0)
      throw new Error(`${bytes} bytes of audio are not whole f32 samples`);
    this.#awaited = { event, text, bytes };
    return undefined;
  }

  #readAudio(data: unknown, now: number): ReceivedEvent {
    const awaited = this.#awaited;
    if (!(data instanceof ArrayBuffer) || awaited === undefined || data.byteLength !== awaited.bytes) {
      throw new Error("a binary message that no event announced");
    }
    this.#awaited = undefined;
    return { event: awaited.event, text: awaited.text, receivedMs: now, audio: new Float32Array(data) };
  }
}
