import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import { roundSeconds, type Span, type Spoken } from "../words.ts";
import type { Results } from "./messages.ts";

/** Models have ids there; here they have names. */
export const NO_ID = "00000000-0000-0000-0000-000000000000";

/** The part of a result that says where it belongs. */
export interface ResultPlace {
  readonly requestId: string;
  readonly model: string;
  readonly channel: number;
  /** Channels of the stream. */
  readonly channels: number;
  readonly span: Span;
}

/** What a client may do with a result. */
export interface ResultState {
  readonly isFinal: boolean;
  readonly speechFinal: boolean;
  readonly fromFinalize: boolean;
}

/** The result of a span without speech. */
export const NOTHING_SPOKEN: Spoken = { text: "", words: [], confidence: 0, language: undefined, others: {} };

/** @param extras the model's other fields are sent, too */
export function resultsMessage(spoken: Spoken, place: ResultPlace, state: ResultState, extras: boolean): Results {
  const { text, confidence, language, others } = spoken;
  const { start, end } = place.span;
  const words = spoken.words.map((word) => {
    return { ...word, punctuated_word: word.word, ...(language !== undefined && { language }) };
  });
  return {
    type: "Results",
    channel_index: [place.channel, place.channels],
    start: roundSeconds(start),
    duration: roundSeconds(end - start),
    is_final: state.isFinal,
    speech_final: state.speechFinal,
    from_finalize: state.fromFinalize,
    channel: { alternatives: [{ transcript: text, confidence, words }] },
    metadata: {
      request_id: place.requestId,
      model_uuid: NO_ID,
      model_info: { name: place.model, version: PROTOCOL_VERSION, arch: "streamer" },
    },
    ...(extras && Object.keys(others).length > 0 && { streamer: others }),
  };
}
