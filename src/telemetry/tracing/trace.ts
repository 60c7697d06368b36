import type { Outcome } from "../../model/job.ts";
import { continueTrace } from "./traceparent.ts";

/** What is recorded of who asks for a connection, and then has it. */
export interface ConnectionTrace {
  /** The upgrade has been answered. @param code the error code of a refusal */
  answered(status: number, code?: string): void;
  /** A start has come. What it says of a trace wins over what the headers said. */
  stream(facts: StreamFacts): StreamTrace;
}

export interface StreamFacts {
  /** `trace_id` of the start: a traceparent or a bare trace id. */
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  readonly session: string;
  /** Number of the stream in its session. */
  readonly stream: number;
  readonly pattern: string;
  /** The pattern hears speech: what it asks the model is part of an utterance. */
  readonly usesVad: boolean;
}

/** What is recorded of one stream. */
export interface StreamTrace {
  /** Of the stream's span; of a span that is not recorded when there is no tracing. */
  readonly traceparent: string;
  /** A piece of audio is about to be decoded, and has been. */
  decoding(): void;
  decoded(): void;
  /** Speech has begun in a channel. */
  speechBegan(channel: number): void;
  asked(work: WorkFacts): WorkTrace;
  /** Something went wrong with the stream as a whole, or its start was refused. */
  failed(code: string, message: string): void;
  /** A fault of the server's own. */
  crashed(error: unknown): void;
  /** @param facts numbers that are worth keeping, by attribute name */
  ended(facts: Readonly<Record<string, string | number>>): void;
}

/** A piece of work for the model. */
export interface WorkFacts {
  readonly kind: "final" | "interim";
  readonly channel: number;
  /** Seconds from the first sample of the stream. */
  readonly start: number;
  readonly end: number;
  /** Seconds of audio after the end of the speech in it; undefined: the speech goes on. */
  readonly silence: number | undefined;
}

export interface WorkTrace {
  /** For the worker, whose spans are part of this one. */
  readonly traceparent: string;
  settled(outcome: Outcome): void;
  /** Its result, or the error in its place, has been sent. */
  answered(): void;
}

/** What a server records of its connections. */
export interface Tracing {
  /** @param path of the URL, which is one of the patterns' */
  connection(request: Request, path: string): ConnectionTrace;
}

const nothing = (): void => {};

/** Records nothing, but goes on with the client's trace, so that logs and metrics on both sides can be put together. */
export const UNTRACED: Tracing = {
  connection: ({ headers }) => untraced(headers.get("traceparent") ?? undefined),
};

/** @param header `traceparent` of the upgrade */
export function untraced(header?: string): ConnectionTrace {
  return {
    answered: nothing,
    stream: ({ traceparent }) => {
      const own = continueTrace(traceparent ?? header);
      const work: WorkTrace = { traceparent: own, settled: nothing, answered: nothing };
      return {
        traceparent: own,
        decoding: nothing,
        decoded: nothing,
        speechBegan: nothing,
        asked: () => work,
        failed: nothing,
        crashed: nothing,
        ended: nothing,
      };
    },
  };
}
