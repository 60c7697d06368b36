import type { ErrorEvent } from "./events.ts";

export interface ErrorRow {
  /** What happened, in a sentence for the reference. */
  readonly meaning: string;
  /** HTTP status when the upgrade is refused with this code. */
  readonly status?: number;
  /** WebSocket close code that follows. */
  readonly close?: number;
  /** The connection ends. */
  readonly fatal: boolean;
  /** The stream ends, the connection stays. */
  readonly endsStream?: boolean;
  /** The same thing may succeed when it is tried again later, unchanged. */
  readonly retryable: boolean;
}

/** Every error a client can be told about. The order is that of the reference in `docs/protocol.md`. */
export const ERRORS = {
  invalid_json: {
    meaning: "A text message is not JSON.",
    fatal: false,
    retryable: false,
  },
  invalid_request: {
    meaning: "A request has a missing, unknown or malformed field.",
    status: 400,
    fatal: false,
    retryable: false,
  },
  unknown_request: {
    meaning: "The value of `request` is not one of the protocol's.",
    fatal: false,
    retryable: false,
  },
  unsupported_format: {
    meaning: "The audio format is well-formed but not one that is supported.",
    fatal: false,
    retryable: false,
  },
  unknown_model: {
    meaning: "No model of that name is configured.",
    fatal: false,
    retryable: false,
  },
  no_stream: {
    meaning: "A stop or flush came while no stream was open.",
    fatal: false,
    retryable: false,
  },
  audio_before_start: {
    meaning: "Audio came while no stream was open; it is discarded.",
    fatal: false,
    retryable: false,
  },
  inference_failed: {
    meaning: "The model failed on a span, or its output cannot be sent.",
    fatal: false,
    retryable: false,
  },
  inference_timeout: {
    meaning: "The model took longer than its limit on a span.",
    fatal: false,
    retryable: true,
  },
  worker_crashed: {
    meaning: "The worker died while it ran the model on a span.",
    fatal: false,
    retryable: true,
  },
  format_mismatch: {
    meaning: "A WAV header in the audio contradicts the format of the start.",
    fatal: false,
    endsStream: true,
    retryable: false,
  },
  start_timeout: {
    meaning: "No start was accepted in time after the connection opened.",
    close: 1008,
    fatal: true,
    retryable: false,
  },
  idle_timeout: {
    meaning: "Nothing came from the client for too long.",
    close: 1008,
    fatal: true,
    retryable: true,
  },
  session_limit: {
    meaning: "The connection has lasted as long as one may.",
    close: 1008,
    fatal: true,
    retryable: true,
  },
  slow_reader: {
    meaning: "The client does not read its results.",
    close: 1008,
    fatal: true,
    retryable: true,
  },
  message_too_big: {
    meaning: "A message is larger than the limit for its kind.",
    close: 1009,
    fatal: true,
    retryable: false,
  },
  internal: {
    meaning: "The server has a fault of its own.",
    status: 500,
    close: 1011,
    fatal: true,
    retryable: true,
  },
  overloaded: {
    meaning: "The server is full.",
    status: 503,
    close: 1013,
    fatal: true,
    retryable: true,
  },
  unauthorized: {
    meaning: "Credentials are missing or wrong.",
    status: 401,
    fatal: true,
    retryable: false,
  },
  origin_not_allowed: {
    meaning: "Pages of this origin may not connect.",
    status: 403,
    fatal: true,
    retryable: false,
  },
  upgrade_required: {
    meaning: "The route speaks WebSocket and the request does not.",
    status: 426,
    fatal: true,
    retryable: false,
  },
  too_many_sessions: {
    meaning: "This client has as many sessions open as it may.",
    status: 429,
    fatal: true,
    retryable: true,
  },
  not_ready: {
    meaning: "The models are still being loaded.",
    status: 503,
    fatal: true,
    retryable: true,
  },
  draining: {
    meaning: "The server is shutting down; running streams are told so by a warning and finished.",
    status: 503,
    close: 1001,
    fatal: true,
    retryable: true,
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** Where in the conversation an error belongs. Times are seconds from the first sample of the stream. */
export interface ErrorPlace {
  /** The field that is wrong: a dotted path, such as `vad.threshold_db`. */
  readonly param?: string;
  readonly channel?: number;
  readonly start_time?: number;
  readonly end_time?: number;
}

/** What the client is told when it, or the server on its behalf, cannot go on. Rendered by `errorEvent`. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ErrorCode;
  readonly param?: string;
  readonly channel?: number;
  readonly start_time?: number;
  readonly end_time?: number;

  constructor(code: ErrorCode, message: string, place: ErrorPlace = {}) {
    super(message);
    this.code = code;
    if (place.param !== undefined) this.param = place.param;
    if (place.channel !== undefined) this.channel = place.channel;
    if (place.start_time !== undefined) this.start_time = place.start_time;
    if (place.end_time !== undefined) this.end_time = place.end_time;
  }

  /** The row of the table for this error's code. */
  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}

/** The event, or the body of an HTTP refusal, that reports `error`. `fatal` and `retryable` come from the table. */
export function errorEvent(error: ErrorPlace & { readonly code: ErrorCode; readonly message: string }): ErrorEvent {
  const { fatal, retryable } = ERRORS[error.code];
  return {
    type: "error",
    code: error.code,
    message: error.message,
    fatal,
    retryable,
    ...(error.param !== undefined && { param: error.param }),
    ...(error.channel !== undefined && { channel: error.channel }),
    ...(error.start_time !== undefined && { start_time: error.start_time }),
    ...(error.end_time !== undefined && { end_time: error.end_time }),
  };
}

/** Things that are suspicious but accepted: the codes of `warning`. */
export const WARNINGS = {
  wav_header: "A WAV header stood among the samples; it was skipped and not taken for audio.",
  clipping: "Samples are at full scale: the recording level is too high.",
  silence: "A channel has been exactly zero for 10 seconds.",
  not_a_number: "Samples were NaN or infinite and became 0.",
  out_of_range: "Float samples lie beyond -1..1; they are kept, limited to -8..8.",
  identical_channels: "Channels carry the same samples.",
  draining: "The server is shutting down; this stream will be finished.",
} as const;

export type WarningCode = keyof typeof WARNINGS;
