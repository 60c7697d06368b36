export interface ErrorRow {
  /** The cause, one sentence for the reference. */
  readonly meaning: string;
  /** HTTP status of a refused upgrade. */
  readonly status?: number;
  /** WebSocket close code after a fatal error. */
  readonly close?: number;
  /** The connection ends. */
  readonly fatal: boolean;
  /** In reply to a `start` it is not fatal: the connection stays open. */
  readonly staysOpenAtStart?: boolean;
  /** The stream ends, the connection stays open. */
  readonly endsStream?: boolean;
  /** The same request may succeed later, unchanged. */
  readonly retryable: boolean;
  /** Milliseconds after which a client may try again, unless the error has another time. Retryable errors have one. */
  readonly retryAfterMs?: number;
}

/** Every error that a client can receive, in the order of the reference in `docs/protocol.md`. */
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
    meaning: "The value of `request` is unknown.",
    fatal: false,
    retryable: false,
  },
  unsupported_format: {
    meaning: "The audio format is well-formed but not supported.",
    fatal: false,
    retryable: false,
  },
  unknown_model: {
    meaning: "No model of that name is configured.",
    fatal: false,
    retryable: false,
  },
  too_many_requests: {
    meaning: "A session asks for too much in a short time, such as many new sample rates.",
    fatal: false,
    retryable: true,
    retryAfterMs: 250,
  },
  no_stream: {
    meaning: "A stop or flush arrived while no stream was open.",
    fatal: false,
    retryable: false,
  },
  audio_before_start: {
    meaning: "Audio arrived while no stream was open; it is discarded.",
    fatal: false,
    retryable: false,
  },
  inference_failed: {
    meaning: "The model failed on a span, or its output cannot be sent.",
    fatal: false,
    retryable: false,
  },
  inference_timeout: {
    meaning: "The model exceeded its time limit on a span.",
    fatal: false,
    retryable: true,
    retryAfterMs: 1_000,
  },
  worker_crashed: {
    meaning: "The worker crashed while it ran the model on a span.",
    fatal: false,
    retryable: true,
    retryAfterMs: 1_000,
  },
  model_unavailable: {
    meaning: "The model has no worker, and none can be started at the moment.",
    fatal: false,
    retryable: true,
    retryAfterMs: 5_000,
  },
  format_mismatch: {
    meaning: "The audio is no PCM, or a WAV header in it contradicts the start.",
    fatal: false,
    endsStream: true,
    retryable: false,
  },
  start_timeout: {
    meaning: "No start was accepted within the time limit after the connection opened.",
    close: 1008,
    fatal: true,
    retryable: false,
  },
  idle_timeout: {
    meaning: "The client sent nothing for longer than the time limit.",
    close: 1008,
    fatal: true,
    retryable: true,
    retryAfterMs: 0,
  },
  session_limit: {
    meaning: "The connection has reached its time limit.",
    close: 1008,
    fatal: true,
    retryable: true,
    retryAfterMs: 0,
  },
  slow_reader: {
    meaning: "The client does not read its results fast enough.",
    close: 1008,
    fatal: true,
    retryable: true,
    retryAfterMs: 1_000,
  },
  resumed: {
    meaning: "The stream goes on on another connection.",
    close: 1008,
    fatal: true,
    retryable: false,
  },
  message_too_big: {
    meaning: "A message is larger than the limit for its kind.",
    close: 1009,
    fatal: true,
    retryable: false,
  },
  internal: {
    meaning: "The server has an internal fault.",
    status: 500,
    close: 1011,
    fatal: true,
    retryable: true,
    retryAfterMs: 1_000,
  },
  overloaded: {
    meaning: "The server has no capacity left.",
    status: 503,
    close: 1013,
    fatal: true,
    retryable: true,
    retryAfterMs: 2_000,
    staysOpenAtStart: true,
  },
  unauthorized: {
    meaning: "Credentials are missing or wrong, or the token of a session is not valid any more.",
    status: 401,
    close: 1008,
    fatal: true,
    retryable: false,
  },
  origin_not_allowed: {
    meaning: "Pages from this origin are not allowed to connect.",
    status: 403,
    fatal: true,
    retryable: false,
  },
  host_not_allowed: {
    meaning: "The server is not reached by this name.",
    status: 403,
    fatal: true,
    retryable: false,
  },
  upgrade_required: {
    meaning: "The route requires a WebSocket upgrade.",
    status: 426,
    fatal: true,
    retryable: false,
  },
  too_many_sessions: {
    meaning: "This client has reached its limit of open sessions.",
    status: 429,
    fatal: true,
    retryable: true,
    retryAfterMs: 1_000,
  },
  not_ready: {
    meaning: "The models are still loading.",
    status: 503,
    fatal: true,
    retryable: true,
    retryAfterMs: 1_000,
  },
  draining: {
    meaning: "The server is shutting down; running streams get a warning and are finished.",
    status: 503,
    close: 1001,
    fatal: true,
    retryable: true,
    retryAfterMs: 1_000,
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

/** The field or the span that an error is about. Times are seconds from the first sample of the stream. */
export interface ErrorPlace {
  /** Dotted path of the field, such as `vad.threshold_db`. */
  readonly param?: string;
  readonly channel?: number;
  readonly start_time?: number;
  readonly end_time?: number;
  /** Milliseconds after which the client may try again. Default: as the table has it. */
  readonly retry_after_ms?: number;
  /** Default: as the table has it. */
  readonly fatal?: boolean;
}

/** An error for the client. `errorEvent` makes the event of it. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ErrorCode;
  readonly param?: string;
  readonly channel?: number;
  readonly start_time?: number;
  readonly end_time?: number;
  readonly retry_after_ms?: number;
  readonly fatal?: boolean;

  constructor(code: ErrorCode, message: string, place: ErrorPlace = {}) {
    super(message);
    this.code = code;
    if (place.param !== undefined) this.param = place.param;
    if (place.channel !== undefined) this.channel = place.channel;
    if (place.start_time !== undefined) this.start_time = place.start_time;
    if (place.end_time !== undefined) this.end_time = place.end_time;
    if (place.retry_after_ms !== undefined) this.retry_after_ms = place.retry_after_ms;
    if (place.fatal !== undefined) this.fatal = place.fatal;
  }

  /** The properties of this error's code. */
  get row(): ErrorRow {
    return ERRORS[this.code];
  }
}
