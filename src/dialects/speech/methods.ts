import type { Config } from "../../config/config.ts";
import { messageOf } from "../../lib/thrown.ts";
import { bearerToken, type Credentials } from "../../protocol/credentials.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { AudioFormat } from "../../protocol/format.ts";
import { MAX_OPTIONS_BYTES, readStart } from "../../protocol/requests.ts";
import { VAD_RANGES } from "../../protocol/vad-settings.ts";
import type { Input, Message, OfferedModel, Opened } from "../dialect.ts";
import { foreignTraits } from "../foreign-traits.ts";
import type { GrpcStream } from "../grpc-method.ts";
import { audioOf } from "../grpc/audio-field.ts";
import { chooseModel, type ChosenModel, optionsFor } from "../models.ts";
import { startInput } from "../start-input.ts";
import { type Plain, type SpeechApi, typesOf } from "./api.ts";
import { SpeechDialect } from "./dialect.ts";
import type { SpeechWishes } from "./wishes.ts";

/** A file in one message is handed on in pieces of so many bytes. */
const PIECE_BYTES = 32_768;
/** What is asked of the server before a WAV header has said the format. */
const USUAL_FORMAT: AudioFormat = {
  channels: 1,
  sample_rate: 16_000,
  bit_depth: 16,
  is_float: false,
  encoding: "pcm",
};
/** The fields of a start, by those of the client. */
const THEIR_NAMES: readonly (readonly [ours: string, theirs: string])[] = [
  ["format.sample_rate", "sample_rate_hertz"],
  ["format.channels", "audio_channel_count"],
];

/** Returns the methods of an API whose calls are sessions. @param credentials where its clients have theirs */
export function speechMethods(
  api: SpeechApi,
  credentials: (metadata: Headers) => Credentials = (metadata) => ({ token: bearerToken(metadata) }),
): readonly GrpcStream[] {
  const { dialect } = api;
  const prefix = `/${api.package}.${api.service}/`;
  return [
    {
      ...{ dialect, credentials, path: `${prefix}StreamingRecognize` },
      read: (bytes) => readStreamed(bytes, api),
      open: (first, config, models) => openSpeech(api, first, config, models, false),
    },
    {
      ...{ dialect, credentials, path: `${prefix}Recognize` },
      read: (bytes) => readWhole(bytes, api),
      open: (first, config, models) => openSpeech(api, first, config, models, true),
    },
  ];
}

function readStreamed(bytes: Uint8Array, api: SpeechApi): Message[] {
  const audio = audioOf(bytes, api.audio.number);
  if (audio !== undefined) return [audio];
  const { [api.audio.name]: other, ...request } = decode(bytes, typesOf(api).streamRequest, api);
  if (other instanceof Uint8Array) return [other];
  // Clients of Riva have messages that only change what there is nothing of here.
  return Object.keys(request).length === 0 ? [] : [JSON.stringify(request)];
}

function* readWhole(bytes: Uint8Array, api: SpeechApi): Generator<Message, void> {
  const { request, audio } = api.split(decode(bytes, typesOf(api).wholeRequest, api));
  if (audio === undefined || audio.length === 0) {
    throw new ProtocolError("invalid_request", "audio: found none; allowed: a file", { param: "audio" });
  }
  yield JSON.stringify(request);
  for (let at = 0; at < audio.length; at += PIECE_BYTES) yield audio.subarray(at, at + PIECE_BYTES);
}

function decode(bytes: Uint8Array, type: ReturnType<typeof typesOf>["streamRequest"], api: SpeechApi): Plain {
  try {
    return type.toObject(type.decode(bytes), { longs: Number });
  } catch (error) {
    const allowed = `a ${type.name} of ${api.package}`;
    throw new ProtocolError("invalid_request", `found no protobuf (${messageOf(error)}); allowed: ${allowed}`);
  }
}

/** Returns what the first message of a call asks for. Throws ProtocolError when it is refused. */
function openSpeech(
  api: SpeechApi,
  first: Message,
  config: Config,
  models: readonly OfferedModel[],
  isWhole: boolean,
): Opened {
  const { limits, dialects } = config;
  const wishes = api.wishes(configurationOf(first));
  const chosen = chooseModel(wishes.model, models, dialects);
  const fields = startFields(wishes, chosen, dialects.min_silence_ms);
  const start = (format: AudioFormat): Input => startInput({ ...fields, format }, limits.max_channels);
  const { untexted } = dialects;
  return {
    dialect: api.dialect,
    pattern: chosen.pattern,
    model: chosen.model?.name,
    start: inTheirNames(() =>
      readStart({ ...fields, format: wishes.audio.format ?? USUAL_FORMAT }, { maxChannels: limits.max_channels }),
    ),
    traits: { ...foreignTraits(config), binaryIsAudio: true },
    create: () => new SpeechDialect({ api, wishes, isWhole, untexted, start }),
  };
}

function configurationOf(first: Message): Plain {
  if (typeof first === "string") return JSON.parse(first) as Plain;
  const problem = "found audio as the first message; allowed: streaming_config";
  throw new ProtocolError("invalid_request", problem, { param: "streaming_config" });
}

/** The fields of the start that follow from the configuration, apart from the format. Throws ProtocolError. */
function startFields(
  { interims, language, vocabulary, silenceMs }: SpeechWishes,
  { name, model, pattern }: ChosenModel,
  leastSilenceMs: number,
): Record<string, unknown> {
  const options = optionsFor(model, { language, vocabulary });
  if (options !== undefined && Buffer.byteLength(JSON.stringify(options)) > MAX_OPTIONS_BYTES) {
    const problem = `speech_contexts: found more than ${MAX_OPTIONS_BYTES} bytes; allowed: at most that, with the language`;
    throw new ProtocolError("invalid_request", problem, { param: "speech_contexts" });
  }
  const [, most] = VAD_RANGES.min_silence_ms;
  return {
    ...(name !== undefined && { model: name }),
    ...(options !== undefined && { options }),
    ...(silenceMs !== undefined &&
      pattern.usesVad && { vad: { min_silence_ms: Math.min(most, Math.max(leastSilenceMs, silenceMs)) } }),
    ...(interims && pattern.usesVad && { interim_results: true }),
  };
}

/** Errors of a start name its fields; clients know others. */
function inTheirNames<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    const found = THEIR_NAMES.find(([ours]) => error.message.startsWith(ours));
    if (found === undefined) throw error;
    const [ours, theirs] = found;
    throw new ProtocolError(error.code, error.message.replace(ours, theirs), { param: theirs });
  }
}
