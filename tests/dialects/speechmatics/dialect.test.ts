import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import type { Input, Message, OfferedModel } from "../../../src/dialects/dialect.ts";
import type { SpeechmaticsDialect } from "../../../src/dialects/speechmatics/dialect.ts";
import { errorSchema, serverMessageSchema } from "../../../src/dialects/speechmatics/messages.ts";
import { speechmatics } from "../../../src/dialects/speechmatics/route.ts";
import { errorEvent } from "../../../src/protocol/error-event.ts";
import { type ErrorCode, ERRORS, ProtocolError } from "../../../src/protocol/errors.ts";
import type { ServerEvent } from "../../../src/protocol/events.ts";
import { encode, noise, wav } from "../../support/audio.ts";
import { configure, type Settings } from "../../support/in-process-server.ts";
import { S16_MONO } from "../../support/requests.ts";
import { RAW } from "../../support/speechmatics-client.ts";
import { FORMAT, startedEvent } from "../../support/wire.ts";

const SESSION = "bwsKDj8MTz6dNR-PfZ8sEQ";
const MODEL: OfferedModel = { name: "words", keepsState: false, options: ["language", "vocabulary"] };

function opened(settings: Settings = {}, models: readonly OfferedModel[] = [MODEL]) {
  return speechmatics.open("/v2", new Request("http://localhost/v2"), configure(settings), models);
}

function create(settings: Settings = {}, models?: readonly OfferedModel[]): SpeechmaticsDialect {
  return opened(settings, models).create(SESSION) as SpeechmaticsDialect;
}

const startText = (config: object = {}, audio_format: unknown = RAW): string => {
  return JSON.stringify({ message: "StartRecognition", audio_format, transcription_config: config });
};

/** Returns a dialect whose stream has started. */
function started(config: object = {}, settings: Settings = {}, channels = 1): SpeechmaticsDialect {
  const dialect = create(settings);
  dialect.read(startText(config));
  dialect.write(startedEvent({ model: "words", format: { ...FORMAT, channels } }));
  return dialect;
}

/** Returns the fields of the start that a configuration comes to. */
function startOf(config: object, settings: Settings = {}, models?: readonly OfferedModel[]): object {
  const [input] = create(settings, models).read(startText(config));
  if (input?.kind !== "request" || input.request.request !== "start") throw new Error("no start");
  return input.request;
}

const parse = (messages: readonly Message[]) => {
  return messages.map((message) => v.parse(serverMessageSchema, JSON.parse(message as string)));
};
const replies = (inputs: readonly Input[]) => {
  return parse(inputs.flatMap((input) => (input.kind === "reply" ? [...input.messages()] : [])));
};
const write = (dialect: SpeechmaticsDialect, ...events: readonly ServerEvent[]) => {
  return parse(events.flatMap((event) => [...dialect.write(event)]));
};
const segment = (fields: object): ServerEvent => {
  return { type: "segment", start_time: 0.12, end_time: 2.02, is_final: true, channel: 0, ...fields };
};
/** Returns the last message of the close after an error, and its code. */
const lastOf = (dialect: SpeechmaticsDialect, code: ErrorCode, message = "why") => {
  const { code: close, reason, last = [] } = dialect.close(code, message);
  return [close, reason, ...parse(last)];
};
const refusalOf = (dialect: SpeechmaticsDialect, message: Message): { type: string; reason: string } => {
  const [refused] = dialect.read(message);
  if (refused?.kind !== "refused") throw new Error("it was not refused");
  dialect.write(errorEvent(refused.error));
  expect(dialect.endsAt(refused.error.code)).toBeTrue();
  const [, , error] = lastOf(dialect, refused.error.code);
  return v.parse(errorSchema, error);
};

describe("the start that a StartRecognition comes to", () => {
  test("has the format, and the model only if it is one of this server's", () => {
    expect(startOf({ language: "en", model: "enhanced" })).toMatchObject({ format: S16_MONO, interim_results: false });
    expect(startOf({ model: "enhanced" })).not.toHaveProperty("model");
    expect(startOf({ model: "words" })).toMatchObject({ model: "words" });
    expect(startOf({ operating_point: "words", enable_partials: true })).toMatchObject({
      model: "words",
      interim_results: true,
    });
    const formats = (["pcm_f32le", "mulaw"] as const).map((encoding) => {
      const [input] = create().read(startText({}, { type: "raw", encoding, sample_rate: 8_000 }));
      return input?.kind === "request" && input.request.request === "start" && input.request.format;
    });
    expect(formats).toMatchObject([
      { sample_rate: 8_000, bit_depth: 32, is_float: true },
      { sample_rate: 8_000, bit_depth: 8, encoding: "mulaw" },
    ]);
  });

  test("has the silence of end_of_utterance_silence_trigger within dialects.min_silence_ms and what is possible", () => {
    const silence = (end_of_utterance_silence_trigger: number, settings: Settings = {}) => {
      const config = { conversation_config: { end_of_utterance_silence_trigger } };
      return (startOf(config, settings) as { vad?: { min_silence_ms: number } }).vad?.min_silence_ms;
    };
    expect([0.05, 0.8, 1e300].map((seconds) => silence(seconds))).toEqual([300, 800, 5_000]);
    expect(silence(0.05, { "dialects.min_silence_ms": 100 })).toBe(100);
    expect([silence(0), silence(-1)]).toEqual([undefined, undefined]);
  });

  test("has no voice activity detection for a model that keeps state", () => {
    const models = [{ name: "cached", keepsState: true }];
    const config = { conversation_config: { end_of_utterance_silence_trigger: 1 } };
    expect(startOf(config, {}, models)).not.toHaveProperty("vad");
    expect(opened({}, models).pattern.name).toBe("stateful");
  });

  test("has the language and the words that are likely, if the model takes them", () => {
    const config = { language: "en", additional_vocab: ["Streamer", { content: "Bun", sounds_like: ["ban"] }] };
    expect(startOf(config)).toMatchObject({ options: { language: "en", vocabulary: ["Streamer", "Bun"] } });
    expect(startOf(config, {}, [{ ...MODEL, options: undefined }])).not.toHaveProperty("options");
    expect(refusalOf(create(), startText({ additional_vocab: ["x".repeat(5_000)] }))).toEqual({
      message: "Error",
      type: "invalid_config",
      reason:
        "transcription_config.additional_vocab: found more than 4096 bytes; allowed: at most that, with the language",
    } as object as { type: string; reason: string });
  });

  test("ignores fields that it does not know, and nulls", () => {
    const config = { language: null, diarization: "speaker", max_delay: 1, punctuation_overrides: { sensitivity: 1 } };
    expect(startOf(config)).toMatchObject({ request: "start" });
  });

  test("is refused with its own error for what it cannot be", () => {
    const types = [
      startText({}, { type: "raw", encoding: "opus", sample_rate: 16_000 }),
      startText({}, { type: "raw", encoding: "pcm_s16le", sample_rate: 1 }),
      startText({}, { type: "stream" }),
      startText({}, []),
      startText({ enable_partials: "yes" }),
      startText({ conversation_config: 5 }),
      startText({ additional_vocab: [1] }),
    ].map((text) => {
      const [refused] = create().read(text);
      expect(refused).toMatchObject({ kind: "refused", meant: "start" });
      return refusalOf(create(), text).type;
    });
    const [audio, config] = ["invalid_audio_type", "invalid_config"];
    expect(types).toEqual([audio, audio, audio, audio, config, config, config].map(String));
    const strict = create({ "dialects.strict_models": "on" });
    expect(refusalOf(strict, startText({ model: "enhanced" }))).toMatchObject({
      type: "invalid_model",
      reason: 'model: found "enhanced"; allowed: words',
    });
  });
});

describe("audio of the type file", () => {
  const file = wav(S16_MONO, encode("s16", noise(0.01)));

  test("is acknowledged at once, and starts with the format of its WAV header, however it is cut", () => {
    const dialect = create();
    expect(replies(dialect.read(startText({ enable_partials: true }, { type: "file" })))).toMatchObject([
      { message: "RecognitionStarted" },
    ]);
    const inputs = Array.from(file, (byte) => dialect.read(Uint8Array.of(byte))).flat();
    expect(inputs.find(({ kind }) => kind === "request")).toMatchObject({
      request: { request: "start", format: S16_MONO, interim_results: true },
    });
    const bytes = inputs.flatMap((input) => (input.kind === "audio" ? [...input.bytes] : []));
    expect(bytes).toEqual([...file]);
    expect(replies(inputs)).toEqual(Array.from(file, (_, n) => ({ message: "AudioAdded", seq_no: n + 1 })));
    // The stream's own start is no second one.
    expect(write(dialect, startedEvent({}))).toEqual([]);
  });

  test("is what an absent audio_format means", () => {
    expect(replies(create().read('{"message":"StartRecognition"}'))).toMatchObject([{ message: "RecognitionStarted" }]);
  });

  test("is refused by its name where it is no WAV file, and where it ends in its header", () => {
    const dialect = create();
    dialect.read(startText({}, { type: "file" }));
    const [refused] = dialect.read(Buffer.from("OggS and pages of Opus"));
    expect(refused).toMatchObject({ kind: "refused", meant: "start" });
    const ogg = create();
    ogg.read(startText({}, { type: "file" }));
    expect(refusalOf(ogg, Buffer.from("OggS and pages of Opus"))).toMatchObject({
      type: "invalid_audio_type",
      reason: expect.stringContaining("it is an Ogg file (Opus, Vorbis, Speex or FLAC)"),
    });
    const cut = create();
    cut.read(startText({}, { type: "file" }));
    cut.read(file.subarray(0, 20));
    expect(refusalOf(cut, '{"message":"EndOfStream"}').type).toBe("invalid_audio_type");
  });

  test("may be empty: the stream ends well", () => {
    const dialect = create();
    dialect.read(startText({}, { type: "file" }));
    expect(replies(dialect.read('{"message":"ForceEndOfUtterance"}'))).toMatchObject([{ message: "EndOfUtterance" }]);
    expect(dialect.read('{"message":"EndOfStream"}')).toMatchObject([
      { kind: "request", request: { request: "start" } },
      { kind: "request", request: { request: "stop", disconnect: true } },
    ]);
  });
});

describe("a client's messages", () => {
  test("of audio are acknowledged one by one, behind the audio", () => {
    const dialect = started();
    const inputs = [1, 2, 0].flatMap((bytes) => [...dialect.read(new Uint8Array(bytes))]);
    expect(inputs.map(({ kind }) => kind)).toEqual(["audio", "reply", "audio", "reply", "audio", "reply"]);
    expect(replies(inputs)).toEqual([1, 2, 3].map((seq_no) => ({ message: "AudioAdded", seq_no })));
  });

  test("are requests, and answers of its own", () => {
    const dialect = started();
    expect(dialect.read('{"message":"ForceEndOfUtterance","timestamp":1.5}')).toEqual([
      { kind: "request", request: { request: "flush" } },
    ]);
    expect(replies(dialect.read('{"message":"GetSpeakers","final":true}'))).toEqual([
      { message: "SpeakersResult", speakers: [] },
    ]);
    expect(dialect.read('{"message":"EndOfStream","last_seq_no":99}')).toEqual([
      { kind: "request", request: { request: "stop", disconnect: true } },
    ]);
  });

  test("behind EndOfStream are ignored, of which audio is told once", () => {
    const dialect = started();
    dialect.read('{"message":"EndOfStream"}');
    const late = [new Uint8Array(2), '{"message":"StartRecognition"}', "rubbish", new Uint8Array(2)];
    expect(replies(late.flatMap((message) => [...dialect.read(message)]))).toMatchObject([
      { message: "Warning", type: "add_audio_after_eos" },
    ]);
  });

  test("that come in the wrong order are a protocol_error", () => {
    const early = ['{"message":"EndOfStream"}', '{"message":"ForceEndOfUtterance"}', '{"message":"GetSpeakers"}'];
    const types = [...early, new Uint8Array(2)].map((message) => refusalOf(create(), message).type);
    expect(new Set(types)).toEqual(new Set(["protocol_error"]));
    const dialect = started();
    // It is not a start: the open stream ends with its results.
    expect(dialect.read(startText())).toMatchObject([{ kind: "refused" }]);
    expect(dialect.read(startText())[0]).not.toHaveProperty("meant");
    expect(refusalOf(started(), startText()).type).toBe("protocol_error");
  });

  test("that are not understood are an invalid_message", () => {
    const texts = [
      "",
      "[]",
      "null",
      "5",
      "{}",
      '{"message":"Sing"}',
      '{"message":"__proto__"}',
      '{"message":7}',
      "[".repeat(99),
    ];
    const channels = ['{"message":"AddChannelAudio","channel":"a","data":""}', '{"message":"EndOfChannel"}'];
    const types = [...texts, ...channels].map((message) => refusalOf(started(), message).type);
    expect(new Set(types)).toEqual(new Set(["invalid_message"]));
    expect(refusalOf(started(), '{"message":"Sing"}').reason).toBe(
      'message: found "Sing"; allowed: StartRecognition, EndOfStream, ForceEndOfUtterance, SetRecognitionConfig, GetSpeakers',
    );
  });
});

describe("the server's messages", () => {
  test("begin with RecognitionStarted, which has the session and the language", () => {
    const described = (language?: string) => {
      const dialect = create();
      dialect.read(startText({ language }));
      const [message] = write(dialect, startedEvent({}));
      if (message?.message !== "RecognitionStarted") throw new Error("no RecognitionStarted");
      expect(message.id).toBe(SESSION);
      return message.language_pack_info;
    };
    expect(described("en")).toEqual({ word_delimiter: " ", language_description: "English" });
    expect([undefined, "de", "fr", "not a language \ud800"].map((tag) => described(tag).language_description)).toEqual([
      "English",
      "German",
      "French",
      "not a language \ufffd",
    ]);
  });

  test("have a final with its words, then the end of its utterance", () => {
    const dialect = started({ language: "en" });
    const messages = write(
      dialect,
      { type: "active", time: 0.12, channel: 0 },
      { type: "inactive", time: 1.9, channel: 0 },
      segment({ text: "turn left" }),
    );
    const word = (content: string, start_time: number, end_time: number) => {
      const alternatives = [{ content, confidence: 1, language: "en", speaker: "UU" as const }];
      return { type: "word" as const, start_time, end_time, alternatives };
    };
    expect(messages).toEqual([
      {
        message: "AddTranscript",
        format: "2.9",
        metadata: { start_time: 0.12, end_time: 2.02, transcript: "turn left " },
        results: [word("turn", 0.12, 1.07), word("left", 1.07, 2.02)],
      },
      { message: "EndOfUtterance", metadata: { start_time: 2.02, end_time: 2.02 } },
    ]);
  });

  test("have no end of an utterance behind a part of one that is too long", () => {
    expect(write(started(), segment({ text: "turn left" })).map(({ message }) => message)).toEqual(["AddTranscript"]);
  });

  test("have the answer to ForceEndOfUtterance once, with or without speech before it", () => {
    const dialect = started();
    const flush = '{"message":"ForceEndOfUtterance"}';
    dialect.read(flush);
    expect(write(dialect, segment({ text: "turn" }))).toEqual([]);
    const names = (event: ServerEvent) => write(dialect, event).map(({ message }) => message);
    expect(names({ type: "flushed", time: 2, channel: 0 })).toEqual(["AddTranscript", "EndOfUtterance"]);
    dialect.read(flush);
    expect(names({ type: "flushed", time: 3, channel: 0 })).toEqual(["EndOfUtterance"]);
  });

  test("have partial transcripts until SetRecognitionConfig switches them off", () => {
    const dialect = started({ enable_partials: true });
    const names = () => write(dialect, segment({ is_final: false, text: "turn" })).map(({ message }) => message);
    expect(names()).toEqual(["AddPartialTranscript"]);
    const set = (config: object) => {
      return dialect.read(JSON.stringify({ message: "SetRecognitionConfig", transcription_config: config }));
    };
    expect(set({ enable_partials: false })).toEqual([]);
    expect(names()).toEqual([]);
    set({ max_delay: 2 });
    expect(names()).toEqual([]);
    set({ enable_partials: true });
    expect(names()).toEqual(["AddPartialTranscript"]);
  });

  test("name the channel where there are several", () => {
    const dialect = started({}, {}, 2);
    const messages = write(dialect, segment({ channel: 1, text: "turn" }), { type: "flushed", time: 3, channel: 0 });
    expect(messages).toMatchObject([
      { message: "AddTranscript", channel: "channel_2" },
      { message: "EndOfUtterance", channel: "channel_1" },
    ]);
  });

  test("have the model's other fields only with dialects.extras, and its language before the client's", () => {
    const fields = { text: "links", language: "de", count: 5 };
    const [plain] = write(started({ language: "en" }), segment(fields));
    expect(plain).not.toHaveProperty("streamer");
    expect(plain).toMatchObject({ results: [{ alternatives: [{ language: "de" }] }] });
    expect(write(started({}, { "dialects.extras": "on" }), segment(fields))).toMatchObject([
      { streamer: { count: 5 } },
    ]);
  });

  test("have the text of a model that keeps state, also its last word", () => {
    const data: ServerEvent = { type: "data", channel: 0, text: "the end" };
    expect(write(started(), data)).toMatchObject([
      { message: "AddTranscript", metadata: { start_time: 0, end_time: 0, transcript: "the end " } },
    ]);
  });

  test("have a Warning for a span on which the model has failed", () => {
    const error = new ProtocolError("inference_failed", "why", { channel: 0, start_time: 1, end_time: 2 });
    const dialect = started();
    expect(write(dialect, errorEvent(error))).toEqual([
      { message: "Warning", type: "inference_failed", reason: "why" },
    ]);
    expect(dialect.endsAt("inference_failed")).toBeFalse();
  });
});

describe("the end", () => {
  test("is EndOfTranscript as the last message, then 1000, or 1001 when the server shuts down", () => {
    expect(lastOf(started(), "stop" as ErrorCode)).toEqual([1000, "", { message: "EndOfTranscript" }]);
    expect(lastOf(started(), "drain" as ErrorCode)).toEqual([1001, "", { message: "EndOfTranscript" }]);
  });

  test("of a client that waits for RecognitionStarted is an Error when the server shuts down", () => {
    expect(lastOf(create(), "drain" as ErrorCode)).toEqual([
      1001,
      "job_error",
      { message: "Error", type: "job_error", reason: "the server is shutting down" },
    ]);
  });

  test("is one Error for every code, as the last message, with the code that its clients know", () => {
    const known: Partial<Record<ErrorCode, readonly [number, string]>> = {
      invalid_json: [1008, "invalid_message"],
      unsupported_format: [1008, "invalid_audio_type"],
      format_mismatch: [1008, "invalid_audio_type"],
      idle_timeout: [1008, "idle_timeout"],
      session_limit: [1008, "session_timeout"],
      message_too_big: [1009, "invalid_message"],
      slow_reader: [1011, "job_error"],
      internal: [1011, "job_error"],
      overloaded: [1013, "quota_exceeded"],
      unauthorized: [1008, "not_authorised"],
      model_unavailable: [1011, "job_error"],
    };
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      const dialect = started();
      const [close, reason, error, ...rest] = lastOf(dialect, code);
      const { type } = v.parse(errorSchema, error);
      expect([reason, rest]).toEqual([type, []]);
      if (known[code] !== undefined) expect([close as number, type as string]).toEqual([...known[code]]);
    }
  });

  test("has the error that was reported, unless it is another that ends the connection", () => {
    const error = errorEvent(new ProtocolError("idle_timeout", "nothing came"));
    const dialect = started();
    expect(write(dialect, error)).toEqual([]);
    expect(lastOf(dialect, "idle_timeout", "")).toMatchObject([1008, "idle_timeout", { reason: "nothing came" }]);
    expect(lastOf(dialect, "internal", "a fault")).toMatchObject([1011, "job_error", { reason: "a fault" }]);
  });
});

test("a client may be silent for long, and its pings count", () => {
  expect(opened().traits).toMatchObject({ idleTimeoutMs: 900_000, startTimeoutMs: 900_000, pingsCount: true });
  expect(opened({ "limits.idle_timeout_ms": 3_600_000 }).traits.idleTimeoutMs).toBe(3_600_000);
});

test("credentials are in the header; the jwt of the query is a ticket, or a token where those are accepted there", () => {
  const shown = (url: string, headers: Record<string, string> = {}, inQuery = false) => {
    return speechmatics.credentials(new Request(url, { headers }), inQuery);
  };
  const url = "http://localhost/v2?jwt=abc&sm-sdk=x";
  expect(shown(url)).toEqual({ token: undefined, ticket: "abc" });
  expect(shown(url, {}, true).token).toBe("abc");
  expect(shown("http://localhost/v2?jwt=", {}, true)).toEqual({ token: undefined, ticket: undefined });
  expect(shown(url, { authorization: "Bearer def" }, true).token).toBe("def");
  expect(shown("http://localhost/v2?jwt=abc&ticket=def").ticket).toBe("def");
});
