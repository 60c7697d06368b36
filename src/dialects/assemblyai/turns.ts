import type { Spoken } from "../words.ts";
import type { Turn } from "./messages.ts";

/** What a result says about its turn. */
export interface TurnState {
  /** Number of the turn, from 0. */
  readonly order: number;
  /** It is the last result of the turn. */
  readonly ends: boolean;
  /** The client has asked for formatted turns. */
  readonly formatted: boolean;
}

/** @param extras the model's other fields are sent, too */
export function turnMessage(spoken: Spoken, { order, ends, formatted }: TurnState, extras: boolean): Turn {
  const { text, language, others } = spoken;
  return {
    type: "Turn",
    turn_order: order,
    turn_is_formatted: ends && formatted,
    end_of_turn: ends,
    transcript: text,
    utterance: ends ? text : "",
    end_of_turn_confidence: ends ? 1 : 0,
    words: spoken.words.map(({ word, start, end, confidence }) => {
      return { text: word, start: milliseconds(start), end: milliseconds(end), confidence, word_is_final: ends };
    }),
    ...(ends && language !== undefined && { language_code: language }),
    ...(extras && Object.keys(others).length > 0 && { streamer: others }),
  };
}

/** Returns seconds as whole milliseconds. */
export function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000);
}
