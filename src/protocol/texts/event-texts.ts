import { bytes, decibels, frames, fullScale, hertz, ms, type ObjectText, samples, seconds } from "./field-text.ts";

const TYPE = "Names the event.";
const CHANNEL = "The channel, counted from 0.";

/** What the events mean, by the names of their schemas. `docs/protocol.md` has the details. */
export const EVENT_TEXTS = {
  StartedEvent: {
    description: "Has the settings in force. Clients need not wait for it before they send audio.",
    fields: {
      type: TYPE,
      session_id: "Names the connection: 128 random bits.",
      stream: "Number of the stream in the connection, from 0.",
      trace_id: "The `traceparent` of the server's part of the trace.",
      model: "Name of the model.",
      sample_rate: hertz("Rate of the model, in which times and the ledger are counted."),
      interim_interval_ms: ms("Audio time between two interim results. On `/api/v1/segmented`."),
      features: "The additions to version 1 that this server has. Absent: none of them.",
    },
  },
  AcceptedFormat: {
    description: "The format of the audio, as the start has it, with the default filled in.",
    fields: {
      channels: "Channels.",
      sample_rate: hertz("Frames in a second."),
      bit_depth: { title: "BitDepth", description: "Size of a sample.", "x-unit": "bits" },
      is_float: "Samples are floating-point numbers.",
      encoding: { title: "Encoding", description: "`pcm`, `mulaw` or `alaw`." },
    },
  },
  EffectiveVadSettings: {
    description: "The settings of voice activity detection in force. On `/api/v1/segmented`.",
    fields: {
      threshold_db: decibels("Level by which speech must exceed the tracked noise floor."),
      floor_dbfs: fullScale("Lowest noise floor. Absent: the detector has none."),
      min_speech_ms: ms("Shortest speech that begins an utterance."),
      min_silence_ms: ms("Silence that ends an utterance."),
      pre_roll_ms: ms("Audio before the speech that belongs to the segment."),
      post_roll_ms: ms("Audio after the speech that belongs to the segment."),
      max_utterance_ms: ms("Longest utterance."),
    },
  },
  ConnectionLimits: {
    description: "The limits of this connection.",
    fields: {
      max_message_bytes: bytes("Largest binary message."),
      max_channels: "Most channels of a stream.",
      idle_timeout_ms: ms("Longest time without a message from the client, while no result is pending."),
      session_ms: ms("Longest duration of the connection; 0: no limit."),
    },
  },
  ActiveEvent: {
    description:
      "On `/api/v1/segmented`. Sent once the speech is as long as `min_speech_ms`, which may be before the results of " +
      "earlier utterances.",
    fields: { type: TYPE, time: seconds("The start of the speech, without the pre-roll."), channel: CHANNEL },
  },
  InactiveEvent: {
    description:
      "On `/api/v1/segmented`. Sent once `min_silence_ms` have followed, or at a `flush` or the end of the stream.",
    fields: { type: TYPE, time: seconds("The end of the speech, without the post-roll."), channel: CHANNEL },
  },
  SegmentEvent: {
    description:
      "The fields of the model's output stand beside these: of a recogniser `text`, and perhaps `words`, whose times are " +
      "seconds of the stream. Final results of a channel, and errors in their place, come in the order of `start_time`.",
    fields: {
      type: TYPE,
      start_time: seconds("Start of the span. All interim results of an utterance have that of its final."),
      end_time: seconds("End of the span."),
      is_final:
        "False: an interim result, which the next result with the same `channel` and `start_time` replaces. On " +
        "`/api/v1/segmented` only; elsewhere every result is final.",
      channel: CHANNEL,
    },
  },
  SegmentTiming: {
    description: "How long the result took. Present if the start asked for `timing`.",
    fields: {
      queue_ms: ms("Time that the span waited for a worker."),
      infer_ms: ms("Time in the model."),
      lag_ms: ms("Audio that was received and not answered when the event was sent."),
    },
  },
  ResultAudio: {
    description: "Sound of the result, which is the next binary message: mono, 32-bit float, little-endian.",
    fields: { bytes: bytes("Size of the binary message."), sample_rate: hertz("Samples in a second.") },
  },
  DataEvent: {
    description:
      "The last output of a model with state at the end of a stream (`/api/v1/stateful`), at most one per channel, " +
      "before `stopped`. The fields of the model's output stand beside these.",
    fields: { type: TYPE, channel: CHANNEL },
  },
  FlushedEvent: {
    description: "One for each channel, behind the results that the `flush` has caused.",
    fields: { type: TYPE, time: seconds("The position of the flush."), channel: CHANNEL },
  },
  CheckpointEvent: {
    description:
      "Sent if `features` has `resume`: after a result that is not an interim, after a `flushed`, or after 5 s without " +
      "either; at most once a second.",
    fields: {
      type: TYPE,
      token: "For `resume` in a start. It is opaque, and valid for the same caller alone.",
      position: frames("Frames from the first of the stream. Those before it need not be kept."),
    },
  },
  StoppedEvent: {
    description: "The last event of its stream. Has the account of every sample.",
    fields: {
      type: TYPE,
      reason: {
        title: "StopReason",
        description:
          "`stop`: the client sent `stop`. `restart`: it sent another `start`. `drain`: the server has shut down. " +
          "`error`: the error before this event. `limit`: a limit, which the error before this event names.",
      },
      channels: "The ledger of each channel.",
      trailing_bytes: bytes("Bytes of an incomplete frame at the end."),
      skipped_bytes: bytes("Bytes of a WAV header at the beginning, and of the chunks behind its audio."),
    },
  },
  ChannelLedger: {
    description:
      "The account of one channel, at the model's rate: `decoded` is `inferred` + `silent` + `failed`, always. If " +
      "`received` is what the client has sent, nothing is missing.",
    fields: {
      channel: CHANNEL,
      received: frames("Complete frames received, at `received_rate`, without a skipped header."),
      received_rate: hertz("Rate of the audio that the client sent."),
      decoded: samples("`received` * `sample_rate` / `received_rate`, halves rounded up."),
      inferred: samples("Samples that the model has answered, also with an empty result."),
      silent: samples("Samples outside of all segments."),
      failed: samples("Samples that an `error` with bounds covers instead of a result."),
      segments: "Final results sent as `segment`.",
      interims: "Interim results that the model computed, failed ones included, without those that it declined.",
      errors: "Errors with bounds, and one without if a model with state failed at the end.",
    },
  },
  ErrorEvent: {
    description:
      "A request, a span of audio or the connection failed. Also the body of a refused upgrade and of a refused HTTP " +
      "request. A fatal one is followed by `stopped`, if a stream is open, and by the close of the connection.",
    fields: {
      type: TYPE,
      code: "For programs: one of the error codes. Treat codes that you do not know by `fatal` and `retryable` alone.",
      message: "For people: the field, the value found and the values allowed.",
      fatal: "The connection ends.",
      retryable: "The same request may succeed later, unchanged.",
      retry_after_ms: ms("Least time to wait before another attempt; 0: none. In every retryable error."),
      channel: "The channel whose audio has this error in place of a result.",
      start_time: seconds("Start of the audio that has this error in place of a result."),
      end_time: seconds("End of that audio."),
      param: "The field with the error, as a dotted path, such as `vad.threshold_db`.",
    },
  },
  WarningEvent: {
    description: "Something is suspicious but accepted. Each kind is sent once per stream, `state_lost` each time.",
    fields: {
      type: TYPE,
      code: "For programs: one of the warning codes. There may be others in the future.",
      message: "For people: what was found, and what may help.",
      channel: "The channel that it is about. Absent: it is about no single one.",
      deadline_ms: ms("With `draining`: the time for which open streams may go on."),
    },
  },
} as const satisfies Record<string, ObjectText>;
