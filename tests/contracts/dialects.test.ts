import { describe, expect, test } from "bun:test";

import fc from "fast-check";
import * as v from "valibot";

import { type NativeEvent, nativeEvent } from "../../src/client/grpc/grpc-messages.ts";
import { serverMessageSchema as assemblyAiMessageSchema } from "../../src/dialects/assemblyai/messages.ts";
import { audiosocket } from "../../src/dialects/audiosocket/port.ts";
import { serverMessageSchema } from "../../src/dialects/deepgram/messages.ts";
import type { Dialect, Input, Message, Opened, Route } from "../../src/dialects/dialect.ts";
import { ROUTES } from "../../src/dialects/dialects.ts";
import { GRPC_METHODS } from "../../src/dialects/grpc-methods.ts";
import { serverMessageSchema as openAiMessageSchema } from "../../src/dialects/openai/messages.ts";
import { serverMessageSchema as speechmaticsMessageSchema } from "../../src/dialects/speechmatics/messages.ts";
import { serverMessageSchema as voskMessageSchema } from "../../src/dialects/vosk/messages.ts";
import { readEvent, writeEvent } from "../../src/dialects/wyoming/events.ts";
import { wyoming } from "../../src/dialects/wyoming/port.ts";
import { PATTERNS } from "../../src/pipeline/patterns.ts";
import type { Ending } from "../../src/protocol/ending.ts";
import { errorEvent } from "../../src/protocol/error-event.ts";
import { type ErrorCode, ERRORS, ProtocolError } from "../../src/protocol/errors.ts";
import { parseEvent, type ServerEvent, type StopReason } from "../../src/protocol/events.ts";
import { EXAMPLES } from "../../src/protocol/examples.ts";
import { readRequest } from "../../src/protocol/requests.ts";
import { WARNINGS } from "../../src/protocol/warnings.ts";
import { isStart } from "../../src/session/inputs.ts";
import { Sessions } from "../../src/session/sessions.ts";
import { encode, speech } from "../support/audio.ts";
import { fileVocabularies } from "../support/file-vocabularies.ts";
import { grpcRoute } from "../support/grpc-route.ts";
import { configure } from "../support/in-process-server.ts";
import { lineRoute } from "../support/line-dialect.ts";
import { Pipe } from "../support/pipe.ts";
import { asRoute } from "../support/port-route.ts";
import { SessionHarness } from "../support/session-harness.ts";
import { speechVocabularies } from "../support/speech-vocabularies.ts";

/** How a client of a dialect says what every client has to say. */
interface Vocabulary {
  readonly route: Route;
  /** URL of an upgrade request. */
  readonly url: string;
  /** Messages that open a stream of 16 kHz, 16 bit, mono. */
  readonly start: readonly Message[];
  /** A start that is refused; undefined: only the upgrade can be one, or the stream before it goes on. */
  readonly wrongStart?: Message;
  /** URL at which that start, or the upgrade, is refused; default: `url`. */
  readonly wrongUrl?: string;
  /** Messages that end the stream and the connection, or those after which the client closes it. */
  readonly stop: readonly Message[];
  /** There is no message that ends a stream: the client closes the connection when it has the answer to the last. */
  readonly leaves?: true;
  /** After those the client sends no more, which ends the connection. */
  readonly finishes?: true;
  /** Messages that carry these samples. */
  readonly audio: (bytes: Uint8Array) => readonly Message[];
  /** How its clients get the finals of utterances; undefined: it has none. */
  readonly utterances?: {
    readonly url: string;
    readonly finals: (lines: readonly string[]) => Final[];
    /** It tells times in whole milliseconds. */
    readonly inMilliseconds?: true;
    /** Finals have a length, but no times: they begin at 0. */
    readonly isTimeless?: true;
  };
  /** Throws unless a text of the server is one that clients can read. */
  readonly check?: (message: string) => void;
  /** Messages of the server are binary: returns the text that says the same, and the sound that is in it. */
  readonly decode?: (message: Uint8Array) => NativeEvent;
  /** The code of a close after a stop. Default: that of WebSockets. */
  readonly good?: number;
}

/** A final as every dialect tells it: its text, and its span in seconds. */
interface Final {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const S16_MONO = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false } as const;
const S16_CHUNK = { rate: 16_000, width: 2, channels: 1 };
const OPENAI_FORMAT = { type: "audio/pcm", rate: 16_000 };
const OPENAI_UPDATE = JSON.stringify({
  type: "session.update",
  session: { type: "transcription", audio: { input: { format: OPENAI_FORMAT } } },
});
const binary = (bytes: Uint8Array): readonly Message[] => [bytes];

/** Every dialect, and a double that differs from the native one wherever the interface allows it. */
const VOCABULARIES: Readonly<Record<string, Vocabulary>> = {
  streamer: {
    route: ROUTES.find(({ dialect }) => dialect === "streamer") as Route,
    url: "http://localhost/api/v1/simple",
    start: [JSON.stringify({ request: "start", format: S16_MONO })],
    wrongStart: JSON.stringify({ request: "start", format: { ...S16_MONO, channels: 0 } }),
    stop: [JSON.stringify({ request: "stop", disconnect: true })],
    audio: binary,
    utterances: { url: "http://localhost/api/v1/segmented", finals: nativeFinals },
    check: parseEvent,
  },
  deepgram: {
    route: ROUTES.find(({ dialect }) => dialect === "deepgram") as Route,
    url: "http://localhost/v1/listen?encoding=linear16&sample_rate=16000&vad_events=true&utterance_end_ms=1000",
    // The query of the upgrade is the start; without a format in it, a WAV header has to say it.
    start: [],
    wrongStart: new Uint8Array(64),
    wrongUrl: "http://localhost/v1/listen",
    stop: ['{"type":"CloseStream"}'],
    audio: binary,
    utterances: { url: "http://localhost/v1/listen?encoding=linear16&sample_rate=16000", finals: deepgramFinals },
    check: (message) => void v.parse(serverMessageSchema, JSON.parse(message)),
  },
  assemblyai: {
    route: ROUTES.find(({ dialect }) => dialect === "assemblyai") as Route,
    url: "http://localhost/v3/ws?sample_rate=16000&encoding=pcm_s16le",
    // The query of the upgrade is the start.
    start: [],
    wrongUrl: "http://localhost/v3/ws?sample_rate=0",
    stop: ['{"type":"Terminate"}'],
    audio: binary,
    utterances: {
      url: "http://localhost/v3/ws?sample_rate=16000&include_partial_turns=false",
      finals: assemblyAiFinals,
      inMilliseconds: true,
    },
    check: (message) => void v.parse(assemblyAiMessageSchema, JSON.parse(message)),
  },
  vosk: {
    route: ROUTES.find(({ dialect }) => dialect === "vosk") as Route,
    url: "http://localhost/",
    // The first audio starts the stream.
    start: ['{"config": {"sample_rate": 16000}}', new Uint8Array(0)],
    wrongStart: Buffer.from("RIFF".padEnd(64, "x")),
    stop: ['{"eof" : 1}'],
    audio: binary,
    check: (message) => void v.parse(voskMessageSchema, JSON.parse(message)),
  },
  grpc: {
    route: grpcRoute,
    url: "http://localhost/grpc?pattern=simple",
    // The transport has translated what clients send.
    start: [JSON.stringify({ request: "start", format: S16_MONO })],
    wrongStart: JSON.stringify({ request: "start", format: { ...S16_MONO, channels: 0 } }),
    stop: [JSON.stringify({ request: "stop", disconnect: true })],
    audio: binary,
    utterances: { url: "http://localhost/grpc?pattern=segmented", finals: nativeFinals },
    check: parseEvent,
    decode: nativeEvent,
    good: 0,
  },
  wyoming: {
    route: asRoute(wyoming),
    url: "http://localhost/wyoming",
    start: [writeEvent("audio-start", { rate: 16_000, width: 2, channels: 1 })],
    wrongStart: writeEvent("audio-start", { rate: 16_000, width: 5, channels: 1 }),
    stop: [],
    finishes: true,
    check: (message) => void readEvent(message),
    audio: (bytes) => [
      JSON.stringify({ type: "audio-chunk", data: S16_CHUNK, payload_length: bytes.length }),
      ...binary(bytes),
    ],
  },
  openai: {
    route: ROUTES.find(({ dialect }) => dialect === "openai") as Route,
    url: "http://localhost/v1/realtime?intent=transcription",
    // The stream that a connection begins with has 24 kHz.
    start: [OPENAI_UPDATE],
    wrongUrl: "http://localhost/v1/realtime",
    stop: ['{"type":"input_audio_buffer.commit"}'],
    leaves: true,
    audio: (bytes) => [
      JSON.stringify({ type: "input_audio_buffer.append", audio: Buffer.from(bytes).toString("base64") }),
    ],
    utterances: { url: "http://localhost/v1/realtime?intent=transcription", finals: openAiFinals, isTimeless: true },
    check: (message) => void v.parse(openAiMessageSchema, JSON.parse(message)),
  },
  speechmatics: {
    route: ROUTES.find(({ dialect }) => dialect === "speechmatics") as Route,
    url: "http://localhost/v2?jwt=any",
    start: ['{"message":"StartRecognition","audio_format":{"type":"raw","encoding":"pcm_s16le","sample_rate":16000}}'],
    wrongStart: '{"message":"StartRecognition","audio_format":{"type":"raw","encoding":"opus","sample_rate":16000}}',
    stop: ['{"message":"EndOfStream","last_seq_no":1}'],
    audio: binary,
    utterances: { url: "http://localhost/v2", finals: speechmaticsFinals },
    check: (message) => void v.parse(speechmaticsMessageSchema, JSON.parse(message)),
  },
  ...fileVocabularies,
  ...speechVocabularies,
  twilio: {
    route: ROUTES.find(({ dialect }) => dialect === "twilio") as Route,
    url: "http://localhost/twilio",
    start: ['{"event":"connected","protocol":"Call","version":"1.0.0"}', twilioStart("audio/x-l16")],
    wrongStart: twilioStart("audio/opus"),
    stop: ['{"event":"stop","sequenceNumber":"5","stop":{"accountSid":"AC1","callSid":"CA1"}}'],
    audio: (bytes) => [text({ event: "media", media: { track: "inbound", payload: bytes.toBase64() } })],
  },
  asterisk: {
    route: ROUTES.find(({ dialect }) => dialect === "asterisk") as Route,
    url: "http://localhost/asterisk",
    start: ["MEDIA_START connection_id:c1 channel:WebSocket/c1/0x7f channel_id:1.2 format:slin16 ptime:20"],
    wrongStart: '{"event":"MEDIA_START","channel_id":"1.2","format":"opus"}',
    stop: [],
    finishes: true,
    audio: binary,
  },
  audiosocket: {
    route: asRoute(audiosocket),
    url: "http://localhost/audiosocket",
    start: ['{"kind":"uuid","uuid":"40325ec2-5efd-4bd3-805f-53576e581d13"}', '{"kind":"rate","rate":16000}'],
    wrongStart: '{"kind":"rate","rate":1}',
    stop: ['{"kind":"hangup"}'],
    audio: binary,
  },
  line: {
    route: lineRoute,
    url: "http://localhost/line",
    start: ["open 16000"],
    wrongStart: "open 1",
    stop: ["end"],
    audio: binary,
  },
};

const config = configure();
const CODES = Object.keys(ERRORS) as ErrorCode[];
const ENDINGS: readonly Ending[] = ["stop", "drain", ...CODES];
const LEDGER = { received: 1, received_rate: 16_000, decoded: 1, inferred: 1, silent: 0, failed: 0 };
const REASONS: readonly StopReason[] = ["stop", "restart", "drain", "error", "limit"];

/** An event of every type, and of every code. */
const EVENTS: readonly ServerEvent[] = [
  ...Object.values(EXAMPLES)
    .flat()
    .filter((message) => "type" in message)
    .map((event) => parseEvent(JSON.stringify(event))),
  { type: "segment", start_time: 0, end_time: 1, channel: 0, count: 16_000 },
  { type: "segment", start_time: 0, end_time: 1, is_final: false, channel: 1, text: "a word — ✓" },
  { type: "segment", start_time: 0, end_time: 1, is_final: true, channel: 0, text: "" },
  { type: "data", channel: 0, summary: { deep: [1, { a: null }] } },
  ...REASONS.map((reason): ServerEvent => {
    const channels = [{ channel: 0, ...LEDGER, segments: 1, interims: 0, errors: 0 }];
    return { type: "stopped", reason, channels, trailing_bytes: 0, skipped_bytes: 0 };
  }),
  ...CODES.map((code) => errorEvent({ code, message: `a message of ${code}` })),
  ...CODES.map((code) => errorEvent({ code, message: "with bounds", channel: 0, start_time: 0, end_time: 1 })),
  ...Object.keys(WARNINGS).map((code): ServerEvent => ({ type: "warning", code, message: "a warning" })),
];

/** A message of Twilio that starts a call whose audio is of this encoding, at 16 kHz. */
function twilioStart(encoding: string): string {
  const mediaFormat = { encoding, sampleRate: 16_000, channels: 1 };
  return text({ event: "start", start: { callSid: "CA1", tracks: ["inbound"], mediaFormat, customParameters: {} } });
}

/** Times as they are told, to the microsecond. */
const rounded = (seconds: number): number => Math.round(seconds * 1e6) / 1e6;

function nativeFinals(lines: readonly string[]): Final[] {
  return lines.flatMap((line) => {
    const event = parseEvent(line);
    if (event.type !== "segment") return [];
    return [
      { text: `count=${String(event["count"])}`, start: rounded(event.start_time), end: rounded(event.end_time) },
    ];
  });
}

function deepgramFinals(lines: readonly string[]): Final[] {
  return lines.flatMap((line) => {
    const message = v.parse(serverMessageSchema, JSON.parse(line));
    if (message.type !== "Results") return [];
    const { start, duration, channel } = message;
    return [{ text: channel.alternatives[0]?.transcript ?? "", start, end: rounded(start + duration) }];
  });
}

function assemblyAiFinals(lines: readonly string[]): Final[] {
  return lines.flatMap((line) => {
    const message = v.parse(assemblyAiMessageSchema, JSON.parse(line));
    if (message.type !== "Turn" || !message.end_of_turn) return [];
    const { transcript, words } = message;
    return [{ text: transcript, start: words[0]?.start ?? NaN, end: words.at(-1)?.end ?? NaN }];
  });
}

function openAiFinals(lines: readonly string[]): Final[] {
  return lines.flatMap((line) => {
    const message = v.parse(openAiMessageSchema, JSON.parse(line));
    if (message.type !== "conversation.item.input_audio_transcription.completed") return [];
    // The answer to the commit that ends the conversation.
    if (message.usage.seconds === 0) return [];
    return [{ text: message.transcript, start: 0, end: message.usage.seconds }];
  });
}

function speechmaticsFinals(lines: readonly string[]): Final[] {
  return lines.flatMap((line) => {
    const message = v.parse(speechmaticsMessageSchema, JSON.parse(line));
    if (message.message !== "AddTranscript") return [];
    const { start_time: start, end_time: end, transcript } = message.metadata;
    return [{ text: transcript.trim(), start, end }];
  });
}

/** Has a conversation with utterances. Returns its finals, and the ledger in the log. */
async function converse(vocabulary: Vocabulary, chunks: readonly Uint8Array[]) {
  const { url = vocabulary.url, finals = () => [] } = vocabulary.utterances ?? {};
  using harness = new SessionHarness();
  const pipe = new Pipe(new Sessions(harness.services), open({ ...vocabulary, url }));
  pipe.write(...vocabulary.start, ...chunks.flatMap((chunk) => [...vocabulary.audio(chunk)]), ...vocabulary.stop);
  if (vocabulary.finishes) pipe.finish();
  await harness.answerAll();
  if (vocabulary.leaves) pipe.cut();
  else expect(pipe.closed).toMatchObject({ code: vocabulary.good ?? 1000 });
  const { ledger, reason } = harness.log.findLast((record) => record["event"] === "stream_stopped") ?? {};
  const { decode } = vocabulary;
  const lines = decode === undefined ? pipe.lines : pipe.binaries.map((message) => decode(message).text);
  return { finals: finals(lines), ledger, reason };
}

const open = ({ route, url }: Vocabulary): Opened => route.open(new URL(url).pathname, new Request(url), config);
const create = (vocabulary: Vocabulary, session = "id"): Dialect => open(vocabulary).create(session);

function readAll(dialect: Dialect, messages: readonly Message[]): Input[] {
  return messages.flatMap((message) => [...dialect.read(message)]);
}

/** Inputs without what cannot be compared. */
function comparable(inputs: readonly Input[]): unknown[] {
  return inputs.map((input) => (input.kind === "reply" ? { kind: "reply", messages: input.messages() } : input));
}

/** Throws unless an input is one that a session can handle. */
function checkInput(input: Input): void {
  if (input.kind === "audio") expect(input.bytes).toBeInstanceOf(Uint8Array);
  else if (input.kind === "reply") checkMessages(input.messages());
  else if (input.kind === "refused") expect(input.error).toBeInstanceOf(ProtocolError);
  else expect(readRequest(input.request, { maxChannels: 256 }).request).toBe(input.request.request);
}

function checkMessages(messages: readonly Message[]): void {
  for (const message of messages) {
    if (typeof message === "string") expect(message.isWellFormed()).toBeTrue();
    else expect(message).toBeInstanceOf(Uint8Array);
  }
}

const anything: fc.Arbitrary<Message> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.json({ maxDepth: 4 }),
  fc.record({ request: fc.constantFrom("start", "stop", "flush", "", "__proto__"), format: fc.anything() }).map(text),
  fc.record({ type: fc.string(), audio: fc.base64String({ maxLength: 40 }) }).map(text),
  fc.record({ type: fc.constantFrom("KeepAlive", "Finalize", "CloseStream", "Configure", "__proto__") }).map(text),
  fc
    .record({
      type: fc.constantFrom("ForceEndpoint", "Terminate", "UpdateConfiguration"),
      format_turns: fc.anything(),
    })
    .map(text),
  fc
    .record({
      type: fc.constantFrom("describe", "audio-start", "audio-chunk", "audio-stop", "ping"),
      data: fc.anything(),
    })
    .map(text),
  fc
    .record({
      type: fc.constantFrom(
        "session.update",
        "transcription_session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
      ),
      session: fc.oneof(
        fc.anything(),
        fc.record({
          turn_detection: fc.constantFrom(null, {}, { silence_duration_ms: 1 }),
          input_audio_format: fc.anything(),
        }),
        fc.record({ audio: fc.record({ input: fc.anything() }) }),
      ),
      audio: fc.oneof(fc.base64String({ maxLength: 40 }), fc.anything()),
      event_id: fc.anything(),
    })
    .map(text),
  fc
    .record({
      message: fc.constantFrom("StartRecognition", "EndOfStream", "ForceEndOfUtterance", "SetRecognitionConfig"),
      audio_format: fc.anything(),
      transcription_config: fc.anything(),
    })
    .map(text),
  fc
    .record({
      event: fc.constantFrom("connected", "start", "media", "dtmf", "mark", "stop", "MEDIA_START"),
      start: fc.anything(),
      media: fc.oneof(fc.anything(), fc.record({ payload: fc.string() })),
    })
    .map(text),
  fc.record({ kind: fc.constantFrom("uuid", "rate", "hangup"), rate: fc.anything() }).map(text),
  fc.string().map((fields) => `MEDIA_START ${fields}`),
  fc.record({ config: fc.anything(), eof: fc.anything() }, { requiredKeys: [] }).map(text),
  fc.constantFrom("", "null", "[]", "{", '{"__proto__":1}', "open", "open NaN", "\u0000", "[".repeat(500)),
  fc.uint8Array({ maxLength: 200 }),
);

function text(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "undefined";
  } catch {
    return "{}";
  }
}

test("every dialect is held to the contract", () => {
  const spoken = [...ROUTES, ...GRPC_METHODS].map(({ dialect }) => dialect);
  const held = Object.values(VOCABULARIES).map(({ route }) => route.dialect);
  expect(held).toEqual(expect.arrayContaining([...spoken]));
});

test("no two routes share a path", () => {
  const paths = [...ROUTES, lineRoute].flatMap((route) => [...route.paths]);
  expect(new Set(paths).size).toBe(paths.length);
});

for (const [name, vocabulary] of Object.entries(VOCABULARIES)) {
  const { route } = vocabulary;

  describe(`the route of ${name}`, () => {
    test("opens with limits that a client can keep", () => {
      const { dialect, traits, pattern } = open(vocabulary);
      expect(dialect).toBe(route.dialect);
      expect(Object.values(PATTERNS)).toContain(pattern);
      expect(traits.maxTextBytes).toBeGreaterThan(0);
      for (const limit of [traits.idleTimeoutMs, traits.startTimeoutMs])
        if (limit !== undefined) expect(limit).toBeGreaterThan(0);
    });

    test("answers with a subprotocol that was offered, with none, or with an error", () => {
      fc.assert(
        fc.property(fc.array(fc.constantFrom("streamer.v1", "line", "token", "secret", "")), (offered) => {
          const chosen = route.choose(offered);
          if (typeof chosen === "string") expect(offered.map((each) => each.toLowerCase())).toContain(chosen);
          else if (chosen !== undefined) expect(chosen).toBeInstanceOf(ProtocolError);
        }),
      );
      expect(route.choose([])).toBeUndefined();
    });

    test("refuses with a body that JSON can carry, for every error", () => {
      for (const code of CODES) {
        const body = route.refuse(new ProtocolError(code, "a message"));
        expect(JSON.parse(JSON.stringify(body))).toEqual(body as never);
      }
    });

    test("takes credentials that are texts, or none, and tokens in the query only if they are accepted", () => {
      const headers = [
        {},
        { authorization: "Bearer abc" },
        { authorization: "" },
        { "sec-websocket-protocol": "ticket." },
      ];
      for (const queryTokens of [false, true]) {
        for (const each of headers) {
          const { token, ticket } = route.credentials(new Request(vocabulary.url, { headers: each }), queryTokens);
          for (const secret of [token, ticket]) expect(["string", "undefined"]).toContain(typeof secret);
        }
      }
      const url = new URL(vocabulary.url);
      for (const name of ["token", "access_token", "key", "api_key", "authorization"]) url.searchParams.set(name, "x");
      expect(route.credentials(new Request(String(url)), false).token).toBeUndefined();
    });

    test("neither selects nor shows a subprotocol that carries a secret", () => {
      const chosen = route.choose(["ticket.abcdef", "token.abcdef"]);
      expect(chosen instanceof ProtocolError ? chosen.message : (chosen ?? "")).not.toContain("ticket.abcdef");
    });
  });

  describe(`the dialect ${name}`, () => {
    test("reads anything without throwing, and nothing but inputs comes of it", () => {
      fc.assert(
        fc.property(fc.array(anything, { maxLength: 12 }), (messages) => {
          const dialect = create(vocabulary);
          for (const input of dialect.begin()) checkInput(input);
          for (const message of messages) for (const input of dialect.read(message)) checkInput(input);
          for (const input of dialect.finished?.() ?? []) checkInput(input);
        }),
        { numRuns: 500 },
      );
    });

    test("writes every event without throwing, also before any stream, and sends binary only for audio", () => {
      for (const messages of [[], vocabulary.start]) {
        const dialect = create(vocabulary);
        dialect.begin();
        readAll(dialect, messages);
        for (const event of EVENTS) {
          const written = dialect.write(event);
          checkMessages(written);
          for (const message of written) {
            const isBinary = typeof message !== "string";
            expect(isBinary).toBe(vocabulary.decode !== undefined);
            vocabulary.check?.(isBinary ? (vocabulary.decode?.(message).text ?? "") : message);
          }
        }
        checkMessages(dialect.decoded?.(1.25) ?? []);
        for (const code of CODES) expect(["boolean", "undefined"]).toContain(typeof dialect.endsAt?.(code));
      }
    });

    test("gives a result's audio whole, or leaves it out", () => {
      const dialect = create(vocabulary);
      readAll(dialect, vocabulary.start);
      const memory = new Float32Array([9, 0.5, -0.5, 9]);
      const samples = memory.subarray(1, 3);
      const audio = { bytes: samples.byteLength, sample_rate: 8_000 };
      const event: ServerEvent = { type: "segment", start_time: 0, end_time: 1, channel: 0, audio };
      const { decode = (bytes: Uint8Array) => ({ audio: bytes.slice().buffer }) } = vocabulary;
      const sounds = dialect.write(event, { samples, sampleRate: 8_000 }).filter((part) => typeof part !== "string");
      for (const sound of sounds) {
        expect([...new Float32Array(decode(sound).audio ?? new ArrayBuffer())]).toEqual([0.5, -0.5]);
      }
      expect(sounds.length).toBeLessThanOrEqual(1);
    });

    test("has a close for every ending that its transport can carry", () => {
      for (const ending of ENDINGS) {
        const { code, reason, last = [], ...end } = create(vocabulary).close(ending, "x".repeat(1_000));
        expect(end.ending).toBe(ending);
        const isOfWebSockets =
          code === 1000 || code === 1001 || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
        expect(vocabulary.good === undefined ? isOfWebSockets : code >= 0 && code <= 16).toBeTrue();
        if (vocabulary.good === undefined) expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
        checkMessages(last);
      }
      expect(create(vocabulary).close("stop", "").code).toBe(vocabulary.good ?? 1000);
    });

    test("reads the same messages the same way on every connection, whatever goes on beside it", () => {
      fc.assert(
        fc.property(fc.array(anything, { maxLength: 8 }), fc.array(anything, { maxLength: 8 }), (messages, others) => {
          const [alone, beside, other] = [create(vocabulary), create(vocabulary), create(vocabulary)];
          const expected = messages.flatMap((message) => comparable(alone.read(message)));
          const found = messages.flatMap((message, i) => {
            if (others[i] !== undefined) other.read(others[i]);
            return comparable(beside.read(message));
          });
          expect(found).toEqual(expected);
        }),
      );
    });

    test("opens a stream with a start, ends it with a stop, and marks a start that it refuses", () => {
      const dialect = create(vocabulary);
      const started = [...dialect.begin(), ...readAll(dialect, vocabulary.start)].filter(isStart);
      expect(started.at(-1)).toMatchObject({ kind: "request", request: { request: "start", format: S16_MONO } });
      const finished = (vocabulary.finishes && dialect.finished?.()) ?? [];
      const stopped = [...readAll(dialect, vocabulary.stop), ...finished];
      const stop = { kind: "request", request: { request: "stop", disconnect: true } } as const;
      if (!vocabulary.leaves) expect(stopped).toContainEqual(stop);
      const { wrongStart, wrongUrl = vocabulary.url } = vocabulary;
      const wrong = { ...vocabulary, url: wrongUrl };
      if (wrongStart === undefined) return expect(() => open(wrong)).toThrow(ProtocolError);
      expect(create(wrong).read(wrongStart).filter(isStart)).toMatchObject([{ kind: "refused", meant: "start" }]);
    });

    test("hands all audio on, byte by byte, however it is cut", () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 }), (chunks) => {
          const dialect = create(vocabulary);
          readAll(dialect, vocabulary.start);
          const inputs = chunks.flatMap((chunk) => readAll(dialect, vocabulary.audio(chunk)));
          const bytes = inputs.flatMap((input) => (input.kind === "audio" ? [...input.bytes] : []));
          expect(bytes).toEqual(chunks.flatMap((chunk) => [...chunk]));
        }),
      );
    });

    test("carries a whole conversation through a session, with an exact ledger in the log", async () => {
      using harness = new SessionHarness({ "simple.block_ms": 100 });
      const sessions = new Sessions(harness.services);
      const pipe = new Pipe(sessions, open(vocabulary));
      pipe.write(...vocabulary.start, ...vocabulary.audio(new Uint8Array(8_000)), ...vocabulary.stop);
      if (vocabulary.finishes) pipe.finish();
      await harness.answerAll();
      if (vocabulary.leaves) pipe.cut();
      else expect(pipe.closed).toMatchObject({ ending: "stop", code: vocabulary.good ?? 1000 });
      expect([sessions.size, harness.arena.used]).toEqual([0, 0]);
      const stopped = harness.log.findLast((record) => record["event"] === "stream_stopped");
      expect(stopped).toMatchObject({ reason: "stop", ledger: [{ received: 4_000, decoded: 4_000, failed: 0 }] });
    });

    test("gives the same finals and the same ledger as the native one, however the audio is cut", async () => {
      if (vocabulary.utterances === undefined) return;
      const bytes = encode("s16", speech([0.6, 0.4]));
      const expected = await converse(VOCABULARIES["streamer"] as Vocabulary, [bytes]);
      expect(expected.finals).toHaveLength(2);
      if (vocabulary.utterances.inMilliseconds) {
        const whole = (seconds: number): number => Math.round(seconds * 1000);
        expected.finals = expected.finals.map(({ text, start, end }) => {
          return { text, start: whole(start), end: whole(end) };
        });
      }
      const cuts = fc.array(fc.integer({ min: 1, max: bytes.length - 1 }), { maxLength: 20 });
      await fc.assert(
        fc.asyncProperty(cuts, async (at) => {
          const borders = [0, ...new Set(at), bytes.length].sort((a, b) => a - b);
          const chunks = borders.slice(1).map((end, index) => bytes.subarray(borders[index], end));
          const found = await converse(vocabulary, chunks);
          expect([found.ledger, found.reason]).toEqual([expected.ledger, expected.reason]);
          expect(found.finals.length).toBe(2);
          for (const [n, final] of found.finals.entries()) {
            const { text, start, end } = expected.finals[n] as Final;
            const isTimeless = vocabulary.utterances?.isTimeless === true;
            expect(final).toEqual(isTimeless ? { text, start: 0, end: rounded(end - start) } : { text, start, end });
          }
        }),
        { numRuns: 20 },
      );
    });

    test("survives any sequence of messages in a session, and frees everything", () => {
      fc.assert(
        fc.property(fc.array(anything, { maxLength: 20 }), (messages) => {
          using harness = new SessionHarness();
          const sessions = new Sessions(harness.services);
          const pipe = new Pipe(sessions, open(vocabulary));
          pipe.write(...messages);
          if (pipe.closed === undefined) pipe.cut();
          expect([sessions.size, harness.arena.used]).toEqual([0, 0]);
          expect(harness.log.filter((record) => record["event"] === "session_crashed")).toEqual([]);
        }),
        { numRuns: 100 },
      );
    });
  });
}
