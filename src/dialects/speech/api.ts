import protobuf from "protobufjs";

import type { SpokenWord } from "../words.ts";
import type { SpeechWishes } from "./wishes.ts";

const DURATION = "google/protobuf/duration.proto";

/** A message of protobuf as JSON has it, without audio. */
export type Plain = Readonly<Record<string, unknown>>;

/** A result, in whichever API. */
export interface SpeechResult {
  readonly text: string;
  /** 0 to 1. */
  readonly confidence: number;
  /** None if they are not asked for. Times are seconds. */
  readonly words: readonly SpokenWord[];
  readonly isFinal: boolean;
  /** From 0. */
  readonly channel: number;
  /** Seconds. */
  readonly end: number;
  /** Undefined: nobody has said. */
  readonly language: string | undefined;
}

/** Values of `speech_event_type`. */
export const SPEECH_EVENTS = { endOfSingleUtterance: 1, begin: 2, end: 3 } as const;
export type SpeechEventType = (typeof SPEECH_EVENTS)[keyof typeof SPEECH_EVENTS];

/** The plain objects of messages for a client. */
export interface SpeechMessages {
  /** The StreamingRecognizeResponse of one result. */
  streamed(result: SpeechResult): Plain;
  /** The RecognizeResponse of all results. */
  whole(results: readonly SpeechResult[]): Plain;
  /** The StreamingRecognizeResponse of a speech event at a time in seconds; undefined: there are none. */
  event?(type: SpeechEventType, time: number): Plain;
}

/**
 * An API for speech recognition of the shape that Google's first had: the methods `StreamingRecognize` and `Recognize`,
 * and messages that differ in numbers and in a few names.
 */
export interface SpeechApi {
  /** Name of the dialect. */
  readonly dialect: string;
  /** Package of the definitions. */
  readonly package: string;
  /** Name of the service in it. */
  readonly service: string;
  /** Text of a `.proto` file. */
  readonly definitions: string;
  /** Field with audio in a StreamingRecognizeRequest. */
  readonly audio: { readonly name: string; readonly number: number };
  readonly messages: SpeechMessages;
  /** Reads a StreamingRecognizeRequest without audio. Throws ProtocolError for what is not served. */
  wishes(request: Plain): SpeechWishes;
  /** Splits a RecognizeRequest. Throws ProtocolError when its audio is not in it. */
  split(request: Plain): { readonly request: Plain; readonly audio: Uint8Array | undefined };
}

/** The types of an API. */
export interface SpeechTypes {
  readonly streamRequest: protobuf.Type;
  readonly streamResponse: protobuf.Type;
  readonly wholeRequest: protobuf.Type;
  readonly wholeResponse: protobuf.Type;
}

const types = new WeakMap<SpeechApi, SpeechTypes>();

/** Returns the types of an API. They are made when they are used for the first time. */
export function typesOf(api: SpeechApi): SpeechTypes {
  let found = types.get(api);
  if (found === undefined) {
    const root = rootOf(api.definitions);
    const lookup = (name: string): protobuf.Type => root.lookupType(`${api.package}.${name}`);
    found = {
      streamRequest: lookup("StreamingRecognizeRequest"),
      streamResponse: lookup("StreamingRecognizeResponse"),
      wholeRequest: lookup("RecognizeRequest"),
      wholeResponse: lookup("RecognizeResponse"),
    };
    types.set(api, found);
  }
  return found;
}

/** Returns what a text of definitions defines. They may use durations. */
export function rootOf(definitions: string): protobuf.Root {
  const root = new protobuf.Root();
  root.addJSON(protobuf.common.get(DURATION)?.nested ?? {});
  protobuf.parse(definitions, root, { keepCase: true });
  root.resolveAll();
  return root;
}
