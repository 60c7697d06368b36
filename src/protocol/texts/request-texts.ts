import { VAD_DEFAULTS, type VadSettings } from "../vad-settings.ts";
import { decibels, defaulting, fullScale, hertz, ms, type ObjectText } from "./field-text.ts";

const NOBODY = "none";

/** The default of a setting of the detector, which a server may be configured with. */
function configured(key: keyof VadSettings): string {
  return `${VAD_DEFAULTS[key].toLocaleString("en-US")}, or as the server is configured (vad.${key})`;
}

/** What the requests mean, by the names of their schemas. `docs/protocol.md` has the details. */
export const REQUEST_TEXTS = {
  StartRequest: {
    description:
      "Answered by `started` or by an `error`. Audio may follow at once. A start while a stream is open " +
      "first stops that stream: its results and its `stopped` (reason `restart`) come before `started`, also when the " +
      "start is refused. Audio after a refused start is discarded, with one `audio_before_start`.",
    fields: {
      request: "Names the request.",
      interim_results: "Sends interim results while an utterance is in progress (`/api/v1/segmented`).",
      trace_id: defaulting(
        "A W3C `traceparent`, or a bare trace id of 32 hex digits: the trace that the server continues.",
        "the `traceparent` header of the upgrade, or a new trace",
      ),
      tracestate: defaulting("The W3C header of that name.", NOBODY),
      model: defaulting("Name of a model, as `GET /api/v1/info` has it.", "the server's first model"),
      options: defaulting(
        "For the model, such as language or vocabulary: at most 4,096 bytes as compact JSON. Names that the model does " +
          "not take are refused, if it declares what it takes (`options` of the model in `GET /api/v1/info`).",
        NOBODY,
      ),
      interim_interval_ms: ms("Audio time between two interim results; longer under load, never shorter."),
      flush_after_ms: ms(
        "Time without audio after which the open utterance or block ends, as by a `flush` but without `flushed`; 0: it " +
          "does not. By the server's clock, up to 0.2 s later, and only while everything received has been decoded.",
      ),
      timing: "Adds `timing` to each `segment`.",
    },
  },
  AudioFormat: {
    description:
      "Interleaved little-endian samples. `bit_depth`, `is_float` and `encoding` together name one of the sample " +
      "formats; other combinations get `unsupported_format`.",
    fields: {
      channels: "Channels, each with results of its own. The server's maximum is `limits.max_channels` in `started`.",
      sample_rate: hertz("Frames in a second. The server resamples to the rate of the model."),
      bit_depth: {
        title: "BitDepth",
        description: "Size of a sample; 24 bits are packed in 3 bytes.",
        "x-unit": "bits",
      },
      is_float: "Samples are floating-point numbers.",
      encoding: { title: "Encoding", description: "`pcm`, or the companding of telephony, `mulaw` or `alaw`." },
    },
  },
  VadSettings: {
    description:
      "Settings of voice activity detection on `/api/v1/segmented`; on the other paths they are refused. A value out " +
      "of range is refused, never clamped.",
    fields: {
      threshold_db: decibels("Level by which speech must exceed the tracked noise floor.", configured("threshold_db")),
      floor_dbfs: fullScale(
        "The tracked noise floor is never taken to be lower. Nothing below `floor_dbfs` + `threshold_db` is speech. " +
          "Refused by a server whose detector is `fixed`.",
        configured("floor_dbfs"),
      ),
      min_speech_ms: ms("Shorter speech gives no event and counts as silence.", configured("min_speech_ms")),
      min_silence_ms: ms("Silence that ends an utterance.", configured("min_silence_ms")),
      pre_roll_ms: ms("Audio before the speech that belongs to the segment.", configured("pre_roll_ms")),
      post_roll_ms: ms(
        "Audio after the speech that belongs to the segment; at most `min_silence_ms`.",
        `${configured("post_roll_ms")}; at most min_silence_ms`,
      ),
      max_utterance_ms: ms(
        "A longer utterance is cut at the quietest point of its last second, for a pinned model at this length.",
        configured("max_utterance_ms"),
      ),
    },
  },
  ResumeRequest: {
    description:
      "Goes on with a stream whose connection was lost, if `features` in `started` had `resume`. Send the same start " +
      "with the token of the last `checkpoint`, on the same path and with the same credentials, then the frames from " +
      "its `position` on.",
    fields: {
      token: "The token of the checkpoint. One that cannot be used gets `invalid_request` with `param` `resume.token`.",
    },
  },
  StopRequest: {
    description:
      "The server processes everything that it has received, sends every result, and then `stopped`. " +
      "Without a stream it gets `no_stream`.",
    fields: {
      request: "Names the request.",
      disconnect: "Closes the connection with code 1000 after `stopped`.",
    },
  },
  FlushRequest: {
    description:
      "Acts at its place in the audio, without ending the stream. One `flushed` per " +
      "channel follows the results of the flush. Times continue.",
    fields: { request: "Names the request." },
  },
  KeepAliveRequest: {
    description: "It has no other effect. Pings of the WebSocket do not reset it.",
    fields: { request: "Names the request." },
  },
} as const satisfies Record<string, ObjectText>;
