import type { Started } from "../protocol/events.ts";
import { frameBytes } from "../protocol/format.ts";
import type { ReceivedEvent } from "./event-reader.ts";
import { LedgerCheck } from "./ledger.ts";

/**
 * Checks the ledger of each stream of a client: give it every event in order. Its memory does not grow with the length
 * of a stream.
 */
export class StreamLedger {
  #started: Started | undefined;
  #check: LedgerCheck | undefined;

  /**
   * Takes an event. For `stopped`, returns a sentence for each difference between the server's ledger, the events that
   * have come, and the audio that was sent: none, if every sample is accounted for. Undefined for all other events.
   */
  add({ event, sent }: ReceivedEvent): readonly string[] | undefined {
    if (event.type === "started") {
      this.#started = event;
      this.#check = new LedgerCheck(event.sample_rate);
    } else if (event.type !== "stopped") {
      this.#check?.add(event);
    } else {
      const [started, check] = [this.#started, this.#check];
      this.#started = this.#check = undefined;
      if (started === undefined || check === undefined || sent === undefined)
        return ["the start of the stream is missing"];
      const { format, sample_rate } = started;
      return check.problems(event, {
        bytes: sent.bytes,
        frameBytes: frameBytes(format),
        channels: format.channels,
        sampleRate: format.sample_rate,
        modelRate: sample_rate,
        isResumed: sent.resumptions > 0,
      });
    }
    return undefined;
  }
}
