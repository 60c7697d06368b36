import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import type { Dialect, Input, Message, OfferedModel } from "../../../src/dialects/dialect.ts";
import { serverMessageSchema } from "../../../src/dialects/openai/messages.ts";
import { openai } from "../../../src/dialects/openai/route.ts";
import { errorEvent } from "../../../src/protocol/error-event.ts";
import { ProtocolError } from "../../../src/protocol/errors.ts";
import type { ServerEvent, StopReason } from "../../../src/protocol/events.ts";
import { configure, type Settings } from "../../support/in-process-server.ts";
import { S16_MONO } from "../../support/requests.ts";
import { startedEvent } from "../../support/wire.ts";

const MODEL: OfferedModel = { name: "words", keepsState: false, options: ["language", "vocabulary", "prompt"] };
const SECOND: OfferedModel = { name: "second", keepsState: false };
const STATEFUL: OfferedModel = { name: "stateful", keepsState: true };
const INTENT = "intent=transcription";

function opened(query = INTENT, settings: Settings = {}, headers: Record<string, string> = {}) {
  const request = new Request(`http://localhost/v1/realtime?${query}`, { headers });
  return openai.open("/v1/realtime", request, configure(settings), [MODEL, SECOND, STATEFUL]);
}

const parse = (messages: readonly Message[]) => {
  return messages.map((message) => v.parse(serverMessageSchema, JSON.parse(message as string)));
};
const replies = (inputs: readonly Input[]) => {
  return parse(inputs.flatMap((input) => (input.kind === "reply" ? [...input.messages()] : [])));
};
const requests = (inputs: readonly Input[]) => {
  return inputs.flatMap((input) => (input.kind === "request" ? [input.request] : []));
};
const vad = { pre_roll_ms: 200, min_silence_ms: 500 };
const started = startedEvent({ model: "words", vad: { ...configure({}).vad, ...vad } });
const segment = (start_time: number, end_time: number, fields: object): ServerEvent => {
  return { type: "segment", start_time, end_time, is_final: true, channel: 0, ...fields };
};
const interim = (start: number, end: number, text: string) => segment(start, end, { is_final: false, text });
const active = (time: number): ServerEvent => ({ type: "active", time, channel: 0 });
const inactive = (time: number): ServerEvent => ({ type: "inactive", time, channel: 0 });
const flushed = (time: number): ServerEvent => ({ type: "flushed", time, channel: 0 });
const stopped = (reason: StopReason, seconds: number): ServerEvent => {
  const received = { received: seconds * 24_000, received_rate: 24_000 };
  const ledger = { channel: 0, ...received, decoded: 0, inferred: 0, silent: 0, failed: 0 };
  const channels = [{ ...ledger, segments: 0, interims: 0, errors: 0 }];
  return { type: "stopped", reason, channels, trailing_bytes: 0, skipped_bytes: 0 };
};

/** A client of the dialect, and the session behind it as far as the dialect sees it. */
class Talk {
  readonly dialect: Dialect;

  constructor(dialect: Dialect = opened().create("abc")) {
    this.dialect = dialect;
    dialect.begin();
    dialect.write(started);
  }

  send(type: string, fields: object = {}): readonly Input[] {
    return this.dialect.read(JSON.stringify({ type, ...fields }));
  }

  /** Sends so many seconds of silence at 24 kHz. */
  append(seconds: number): readonly Input[] {
    return this.send("input_audio_buffer.append", { audio: Buffer.alloc(seconds * 48_000).toString("base64") });
  }

  update(session: object, fields: object = {}): readonly Input[] {
    return this.send("session.update", { session: { type: "transcription", ...session }, ...fields });
  }

  /** Sets turn_detection to null. */
  manual(): this {
    this.update({ audio: { input: { turn_detection: null } } });
    this.tell(stopped("restart", 0), started);
    return this;
  }

  tell(...events: readonly ServerEvent[]) {
    return parse(events.flatMap((event) => [...this.dialect.write(event)]));
  }
}

/** The messages in short: type, and what matters of it. */
function short(messages: ReturnType<typeof parse>): string[] {
  return messages.map((message) => {
    const id = "item_id" in message ? message.item_id.replace("item_abc_", "#") : "";
    const name = message.type.split(".").at(-1) ?? "";
    if ("delta" in message) return `${name} ${id} "${message.delta}"`;
    if ("transcript" in message) return `${name} ${id} "${message.transcript}"`;
    if ("audio_start_ms" in message) return `${name} ${id} ${message.audio_start_ms}`;
    if ("audio_end_ms" in message) return `${name} ${id} ${message.audio_end_ms}`;
    if ("item" in message) return `${name} ${message.item.id.replace("item_abc_", "#")}`;
    if (message.type === "error") return `error ${message.error.code} ${message.error.param}`;
    return `${name} ${id}`.trim();
  });
}

describe("a connection", () => {
  test("begins with session.created, and a stream of 24 kHz", () => {
    const dialect = opened(`${INTENT}&model=gpt-4o-transcribe`).create("abc");
    const inputs = dialect.begin();
    const [created] = replies(inputs);
    expect(created).toMatchObject({
      event_id: "event_1",
      type: "session.created",
      session: {
        id: "sess_abc",
        type: "transcription",
        audio: {
          input: {
            format: { type: "audio/pcm", rate: 24_000 },
            transcription: { model: "words" },
            turn_detection: { type: "server_vad", prefix_padding_ms: 200, silence_duration_ms: 500 },
          },
        },
      },
    });
    const format = { ...S16_MONO, sample_rate: 24_000 };
    expect(requests(inputs)).toMatchObject([{ request: "start", format, interim_results: true }]);
    expect(inputs[0]).toHaveProperty("kind", "reply");
  });

  test("expires with the session, or never", () => {
    const session = (settings: Settings) => replies(opened(INTENT, settings).create("abc").begin())[0];
    const expiry = (Date.now() + 4 * 3_600_000) / 1000;
    expect(session({})).toHaveProperty("session.expires_at");
    expect(Math.abs((session({}) as { session: { expires_at: number } }).session.expires_at - expiry)).toBeLessThan(60);
    expect(session({ "limits.session_ms": 0 })).not.toHaveProperty("session.expires_at");
  });

  test("is refused without the intent to transcribe, in OpenAI's form", () => {
    for (const query of ["", "model=gpt-realtime", "intent=conversation"]) {
      try {
        opened(query);
        expect.unreachable();
      } catch (error) {
        expect(openai.refuse(error as never)).toMatchObject({
          error: { type: "invalid_request_error", code: "unsupported", param: "intent" },
        });
      }
    }
    const strict = () => opened(`${INTENT}&model=x`, { "dialects.strict_models": "on" });
    expect(strict).toThrow('model: found "x"');
    const error = new ProtocolError("invalid_request", "", { param: "model" });
    expect(openai.refuse(error)).toMatchObject({ error: { code: "invalid_model", param: "model" } });
  });

  test("takes a key from the header, or from the subprotocol of browsers, which is not the one it answers with", () => {
    const request = (headers: Record<string, string>) => new Request("http://localhost/v1/realtime", { headers });
    expect(openai.credentials(request({ authorization: "Bearer abc" }), false).token).toBe("abc");
    const offered = ["realtime", "openai-insecure-api-key.abc"];
    const { token } = openai.credentials(request({ "sec-websocket-protocol": offered.join(", ") }), false);
    expect([token, openai.choose(offered), openai.choose(offered.slice(1))]).toEqual(["abc", "realtime", undefined]);
  });

  test("may be silent for 15 minutes, with texts as long as the largest message in base64", () => {
    expect(opened(INTENT, { "limits.max_message_bytes": 3_000_000 }).traits).toMatchObject({
      maxTextBytes: 4_001_024,
      idleTimeoutMs: 900_000,
      pingsCount: true,
      binaryIsAudio: false,
    });
    expect(opened(INTENT, { "limits.max_message_bytes": 1_024 }).traits.maxTextBytes).toBe(65_536);
  });

  test("has the form of the beta with its header, its subprotocol, or its update", () => {
    for (const headers of [
      { "openai-beta": "realtime=v1" },
      { "sec-websocket-protocol": "realtime, openai-beta.realtime-v1" },
    ]) {
      const [created] = replies(opened(INTENT, {}, headers).create("abc").begin());
      expect(created).toMatchObject({
        type: "transcription_session.created",
        session: { input_audio_format: "pcm16", input_audio_transcription: { model: "words" } },
      });
    }
    const talk = new Talk();
    talk.send("transcription_session.update", { session: { input_audio_format: "g711_ulaw" } });
    const [updated] = talk.tell(stopped("restart", 0), started);
    expect(updated).toMatchObject({
      type: "transcription_session.updated",
      session: { input_audio_format: "g711_ulaw" },
    });
    expect(short(talk.tell(active(1), inactive(2)))).toEqual([
      "speech_started #1 800",
      "speech_stopped #1 2000",
      "committed #1",
      "created #1",
    ]);
  });
});

describe("session.update", () => {
  test("starts anew with the settings that are there, and answers with what is in force then", () => {
    const talk = new Talk();
    const inputs = talk.update({
      audio: {
        input: {
          format: { type: "audio/pcma" },
          transcription: { model: "gpt-4o-transcribe", language: "de", prompt: "navigation", keywords: ["left"] },
          turn_detection: {
            type: "semantic_vad",
            silence_duration_ms: 100,
            prefix_padding_ms: 5_000,
            eagerness: "low",
          },
          noise_reduction: { type: "near_field" },
        },
      },
      include: ["item.input_audio_transcription.logprobs"],
    });
    expect(requests(inputs)).toEqual([
      {
        request: "start",
        format: { channels: 1, sample_rate: 8_000, bit_depth: 8, is_float: false, encoding: "alaw" },
        interim_results: true,
        options: { language: "de", prompt: "navigation", vocabulary: ["left"] },
        vad: { min_silence_ms: 300, pre_roll_ms: 1_000 },
        interim_interval_ms: 500,
        flush_after_ms: 0,
        timing: false,
      },
    ]);
    expect(replies(inputs)).toEqual([]);
    const actual = { ...configure({}).vad, pre_roll_ms: 1_000, min_silence_ms: 300 };
    expect(talk.tell(stopped("restart", 0), startedEvent({ model: "words", vad: actual }))).toMatchObject([
      {
        type: "session.updated",
        session: {
          audio: {
            input: {
              format: { type: "audio/pcma" },
              noise_reduction: null,
              transcription: { model: "words", language: "de", prompt: "navigation", keywords: ["left"] },
              turn_detection: {
                type: "server_vad",
                threshold: 0.5,
                prefix_padding_ms: 1_000,
                silence_duration_ms: 300,
              },
            },
          },
        },
      },
    ]);
  });

  test("that changes nothing is answered at once, and the stream goes on", () => {
    const talk = new Talk();
    const inputs = talk.update({ audio: { input: { turn_detection: { type: "server_vad", threshold: 0.3 } } } });
    expect([requests(inputs), short(replies(inputs))]).toEqual([[], ["updated"]]);
  });

  test("leaves what is absent as it was", () => {
    const talk = new Talk();
    talk.update({ audio: { input: { format: { type: "audio/pcmu" }, turn_detection: { silence_duration_ms: 700 } } } });
    talk.tell(stopped("restart", 0), started);
    const [start] = requests(talk.update({ audio: { input: { transcription: { language: "en" } } } }));
    expect(start).toMatchObject({
      format: { sample_rate: 8_000, encoding: "mulaw" },
      options: { language: "en" },
      vad: { min_silence_ms: 700 },
    });
  });

  test("chooses a model of this server by its name, and keeps that of the connection otherwise", () => {
    const model = (name: string, query = INTENT) => {
      const talk = new Talk(opened(query).create("abc"));
      return requests(talk.update({ audio: { input: { transcription: { model: name }, turn_detection: null } } }))[0];
    };
    expect(model("second")).toMatchObject({ model: "second" });
    expect(model("gpt-4o-transcribe")).not.toHaveProperty("model");
    expect(model("gpt-4o-transcribe", `${INTENT}&model=second`)).toMatchObject({ model: "second" });
  });

  test.each([
    [{ type: "realtime" }, "invalid_value session.type"],
    [{ audio: { input: { format: { type: "audio/opus" } } } }, "invalid_value session.audio.input.format.type"],
    [{ audio: { input: { format: { type: "audio/pcm", rate: 1 } } } }, "invalid_value session.audio.input.format"],
    [{ input_audio_format: "opus" }, "invalid_value session.input_audio_format"],
    [{ audio: { input: { turn_detection: "none" } } }, "invalid_value session.audio.input.turn_detection"],
    [
      { audio: { input: { transcription: { model: "stateful" } } } },
      "invalid_model session.audio.input.transcription.model",
    ],
    [
      { audio: { input: { transcription: { prompt: "x".repeat(5_000) } } } },
      "invalid_value session.audio.input.transcription",
    ],
  ])("with %j is an error, and what was in force stays so", (session, expected) => {
    const talk = new Talk();
    const inputs = talk.update(session, { event_id: "mine" });
    expect([requests(inputs), short(replies(inputs))]).toEqual([[], [`error ${expected}`]]);
    expect(replies(talk.update(session, { event_id: "mine" }))).toMatchObject([{ error: { event_id: "mine" } }]);
    expect(short(replies(talk.update({})))).toEqual(["updated"]);
  });

  test("that the server refuses is an error, after which audio starts the settings before it again", () => {
    const talk = new Talk();
    talk.update({ audio: { input: { transcription: { model: "second" } } } }, { event_id: "mine" });
    talk.tell(stopped("restart", 0));
    const refused = errorEvent({ code: "model_unavailable", message: "none" });
    expect(talk.tell(refused)).toMatchObject([{ error: { type: "server_error", event_id: "mine" } }]);
    const inputs = talk.append(0.1);
    expect(requests(inputs)).toMatchObject([{ request: "start" }]);
    expect(requests(inputs)[0]).not.toHaveProperty("model");
    expect(requests(talk.append(0.1))).toEqual([]);
  });
});

describe("with turn detection", () => {
  test("an utterance has its events, then its transcript in deltas, then as a whole", () => {
    const talk = new Talk();
    const messages = talk.tell(
      active(1),
      interim(0.8, 1.5, "turn left"),
      interim(0.8, 2, "turn left here"),
      inactive(2.5),
      segment(0.8, 2.6, { text: "turn left here", language: "en" }),
    );
    expect(short(messages)).toEqual([
      "speech_started #1 800",
      'delta #1 "turn"',
      "speech_stopped #1 2500",
      "committed #1",
      "added #1",
      "done #1",
      'delta #1 " left here"',
      'completed #1 "turn left here"',
    ]);
    expect(messages.at(-1)).toMatchObject({
      languages: [{ code: "en" }],
      usage: { type: "duration", seconds: 1.8 },
    });
    expect(messages.map(({ event_id }) => event_id)).toEqual([2, 3, 4, 5, 6, 7, 8, 9].map((n) => `event_${n - 1}`));
  });

  test("items name the one before, and get their transcripts in order, however late", () => {
    const talk = new Talk();
    const messages = talk.tell(
      active(1),
      inactive(2),
      active(3),
      inactive(4),
      segment(0.8, 2.1, { text: "one" }),
      segment(2.8, 4.1, { text: "two" }),
    );
    const committed = messages.filter((message) => message.type === "input_audio_buffer.committed");
    expect(committed.map(({ previous_item_id }) => previous_item_id)).toEqual([null, "item_abc_1"]);
    expect(short(messages).filter((line) => line.startsWith("completed"))).toEqual([
      'completed #1 "one"',
      'completed #2 "two"',
    ]);
  });

  test("a part of long speech that is cut is an item, and the rest of it another", () => {
    const talk = new Talk();
    const messages = talk.tell(
      active(1),
      interim(1, 5, "one two three"),
      interim(1, 9, "one two four"),
      segment(1, 11, { text: "one two four" }),
      inactive(13),
      segment(11, 13.1, { text: "five" }),
    );
    expect(short(messages).filter((line) => !/added|done/.test(line))).toEqual([
      "speech_started #1 800",
      'delta #1 "one two"',
      "committed #1",
      'delta #1 " four"',
      'completed #1 "one two four"',
      "speech_stopped #2 13000",
      "committed #2",
      'delta #2 "five"',
      'completed #2 "five"',
    ]);
  });

  test("a part that comes when speech has ended already belongs to the item of all of it", () => {
    const talk = new Talk();
    const messages = talk.tell(
      active(1),
      inactive(13),
      segment(1, 11, { text: "one" }),
      segment(11, 13.1, { text: "two" }),
    );
    expect(short(messages).slice(-3)).toEqual(['delta #1 "one"', 'delta #1 " two"', 'completed #1 "one two"']);
  });

  test("an item that the model has failed on, or has said nothing about, is ended too", () => {
    const talk = new Talk();
    const bounds = { channel: 0, start_time: 0.8, end_time: 2.1 };
    const failed = talk.tell(
      active(1),
      inactive(2),
      errorEvent({ code: "worker_crashed", message: "gone", ...bounds }),
    );
    expect(failed.at(-1)).toMatchObject({
      type: "conversation.item.input_audio_transcription.failed",
      item_id: "item_abc_1",
      error: { type: "server_error", code: "worker_crashed", message: "gone" },
    });
    talk.tell(active(3), inactive(4), active(5), inactive(6));
    expect(short(talk.tell(segment(4.8, 6.1, { text: "three" })))).toEqual([
      'completed #2 ""',
      'delta #3 "three"',
      'completed #3 "three"',
    ]);
    expect(short(talk.tell(active(7), inactive(8), stopped("drain", 9))).at(-1)).toBe('completed #4 ""');
  });

  test("a commit ends the speech that goes on; without any it has an empty item", () => {
    const talk = new Talk();
    talk.append(3);
    talk.tell(active(1));
    const inputs = talk.send("input_audio_buffer.commit");
    expect([short(replies(inputs)), requests(inputs)]).toEqual([[], [{ request: "flush" }]]);
    const messages = talk.tell(inactive(3), segment(0.8, 3, { text: "one" }), flushed(3));
    expect(short(messages)).toEqual([
      "speech_stopped #1 3000",
      "committed #1",
      "added #1",
      "done #1",
      'delta #1 "one"',
      'completed #1 "one"',
    ]);
    talk.append(1);
    replies(talk.send("input_audio_buffer.commit"));
    expect(short(talk.tell(flushed(4)))).toEqual(["committed #2", "added #2", "done #2", 'completed #2 ""']);
  });

  test("what the server has committed cannot be committed again", () => {
    const talk = new Talk();
    talk.append(2);
    talk.tell(active(1), inactive(1.95));
    expect(short(replies(talk.send("input_audio_buffer.commit")))).toEqual([
      "error input_audio_buffer_commit_empty null",
    ]);
  });

  test("clear drops the speech that goes on, and keeps the transcripts of items", () => {
    const talk = new Talk();
    talk.append(4);
    talk.tell(active(1), inactive(2), active(3));
    const inputs = talk.send("input_audio_buffer.clear");
    expect(requests(inputs)).toMatchObject([{ request: "start" }]);
    const late = talk.tell(
      inactive(3.5),
      // Of audio that had not been decoded.
      active(3.7),
      inactive(3.9),
      segment(0.8, 2.1, { text: "one" }),
      segment(2.8, 3.6, { text: "two" }),
      segment(3.6, 4, { text: "three" }),
      stopped("restart", 4),
    );
    expect(short(late)).toEqual(['delta #1 "one"', 'completed #1 "one"']);
    expect(short(talk.tell(started))).toEqual([]);
    expect(short(replies(inputs))).toEqual(["cleared"]);
    // Times go on from those of the stream before.
    expect(short(talk.tell(active(1), inactive(2))).slice(0, 2)).toEqual([
      "speech_started #3 4800",
      "speech_stopped #3 6000",
    ]);
  });

  test("a model that keeps state has an item for each result with text, and no detection", () => {
    const talk = new Talk(opened(`${INTENT}&model=stateful`).create("abc"));
    talk.tell(startedEvent({ model: "stateful", vad: undefined }));
    const session = replies(talk.update({}));
    expect(session).toMatchObject([{ session: { audio: { input: { turn_detection: null } } } }]);
    const block = { is_final: undefined };
    const messages = talk.tell(segment(0, 0.1, { ...block, text: "" }), segment(0.1, 0.2, { ...block, text: "one" }), {
      type: "data",
      channel: 0,
      text: "end",
    });
    expect(short(messages).filter((line) => line.startsWith("completed"))).toEqual([
      'completed #1 "one"',
      'completed #2 "end"',
    ]);
  });
});

describe("without turn detection", () => {
  test("each commit has one transcript: what was said since the last", () => {
    const talk = new Talk().manual();
    talk.append(5);
    const before = talk.tell(active(1), inactive(2), segment(0.8, 2.1, { text: "one" }), active(3));
    expect(short(before)).toEqual(['delta #1 "one"']);
    const inputs = talk.send("input_audio_buffer.commit");
    expect(short(replies(inputs))).toEqual(["committed #1", "added #1", "done #1"]);
    expect(requests(inputs)).toEqual([{ request: "flush" }]);
    const after = talk.tell(inactive(5), segment(2.8, 5, { text: "two" }), flushed(5));
    expect(short(after)).toEqual(['delta #1 " two"', 'completed #1 "one two"']);
    expect(after.at(-1)).toMatchObject({ usage: { seconds: 3.5 } });
    talk.append(1);
    replies(talk.send("input_audio_buffer.commit"));
    expect(short(talk.tell(flushed(6)))).toEqual(['completed #2 ""']);
  });

  test("results belong to the first commit without an answer", () => {
    const talk = new Talk().manual();
    talk.append(1);
    replies(talk.send("input_audio_buffer.commit"));
    talk.append(1);
    replies(talk.send("input_audio_buffer.commit"));
    const messages = talk.tell(
      segment(0, 1, { text: "one" }),
      flushed(1),
      segment(1, 2, { text: "two" }),
      flushed(2),
      segment(2, 3, { text: "three" }),
    );
    expect(short(messages)).toEqual([
      'delta #1 "one"',
      'completed #1 "one"',
      'delta #2 "two"',
      'completed #2 "two"',
      'delta #3 "three"',
    ]);
  });

  test("a commit of less than 100 ms is an error with the id of the client's event", () => {
    const talk = new Talk().manual();
    for (let n = 0; n < 9; n++) talk.append(0.01);
    const refused = talk.send("input_audio_buffer.commit", { event_id: "mine_7" });
    expect([requests(refused), replies(refused)]).toMatchObject([
      [],
      [{ error: { code: "input_audio_buffer_commit_empty", param: null, event_id: "mine_7" } }],
    ]);
    talk.append(0.01);
    expect(requests(talk.send("input_audio_buffer.commit"))).toEqual([{ request: "flush" }]);
  });

  test("what is not committed outlives new settings and the return of turn detection", () => {
    const talk = new Talk().manual();
    talk.tell(segment(0, 1, { text: "one" }));
    talk.update({ audio: { input: { transcription: { language: "de" } } } });
    expect(short(talk.tell(stopped("restart", 1), started))).toEqual(["updated"]);
    talk.tell(segment(0, 1, { text: "two" }));
    talk.update({ audio: { input: { turn_detection: { type: "server_vad" } } } });
    expect(short(talk.tell(stopped("restart", 1), started))).toEqual([
      "committed #1",
      "added #1",
      "done #1",
      'completed #1 "one two"',
      "updated",
    ]);
  });

  test("what was said before turn detection returned cannot be committed any more", () => {
    const talk = new Talk().manual();
    talk.append(1);
    talk.update({ audio: { input: { turn_detection: { type: "server_vad" } } } });
    talk.tell(stopped("restart", 1), started);
    expect(short(replies(talk.send("input_audio_buffer.commit")))).toEqual([
      "error input_audio_buffer_commit_empty null",
    ]);
  });

  test("clear drops what is not committed", () => {
    const talk = new Talk().manual();
    talk.append(1);
    replies(talk.send("input_audio_buffer.commit"));
    talk.append(1);
    talk.send("input_audio_buffer.clear");
    const messages = talk.tell(
      segment(0, 1, { text: "one" }),
      flushed(1),
      segment(1, 2, { text: "two" }),
      stopped("restart", 2),
      started,
      segment(0, 1, { text: "three" }),
    );
    expect(short(messages)).toEqual(['delta #1 "one"', 'completed #1 "one"', 'delta #2 "three"']);
  });

  test("a commit that the model has failed on is a failure; at the end of a session the rest is committed", () => {
    const talk = new Talk().manual();
    talk.append(1);
    replies(talk.send("input_audio_buffer.commit"));
    const bounds = { channel: 0, start_time: 0, end_time: 1 };
    const failed = talk.tell(errorEvent({ code: "inference_failed", message: "no", ...bounds }), flushed(1));
    expect(short(failed)).toEqual(["failed #1"]);
    const last = talk.tell(segment(1, 2, { text: "rest" }), stopped("drain", 2));
    expect(short(last)).toEqual(['delta #2 "rest"', "committed #2", "added #2", "done #2", 'completed #2 "rest"']);
  });

  test("speech of hours without a commit is committed by the server", () => {
    const talk = new Talk().manual();
    const messages = talk.tell(segment(0, 1, { text: "x".repeat(300_000) }), segment(1, 2, { text: "y" }));
    expect(short(messages).map((line) => line.slice(0, 12))).toEqual([
      'delta #1 "xx',
      "committed #1",
      "added #1",
      "done #1",
      "completed #1",
      'delta #2 "y"',
    ]);
  });
});

describe("a text", () => {
  test.each([
    ["no JSON", "{", "invalid_json null"],
    ["no object", "[]", "invalid_value null"],
    ["of no known type", '{"type":"response.create"}', "unknown_event type"],
    ["without a type", "{}", "unknown_event type"],
    ["with audio that is not base64", '{"type":"input_audio_buffer.append","audio":"!!"}', "invalid_value audio"],
    ["without audio", '{"type":"input_audio_buffer.append"}', "invalid_value audio"],
  ])("that is %s is an error, and nothing else", (_, message, expected) => {
    const inputs = new Talk().dialect.read(message);
    expect([inputs.length, short(replies(inputs))]).toEqual([1, [`error ${expected}`]]);
  });

  test("carries audio in base64, also with blanks and without padding", () => {
    const talk = new Talk();
    for (const audio of ["AQID", "AQ ID\n", "AQIDBA==", "AQIDBA", ""]) {
      const [input] = talk.send("input_audio_buffer.append", { audio });
      const expected = Buffer.from(audio.replaceAll(/\s/g, ""), "base64");
      expect(input).toEqual({ kind: "audio", bytes: expect.anything() });
      expect(Buffer.from((input as { bytes: Uint8Array }).bytes)).toEqual(expected);
    }
    for (const audio of ["A", "AQID!AAA", "AQ==AQID", "ÿ", "=", "===="]) {
      expect(short(replies(talk.send("input_audio_buffer.append", { audio })))).toEqual(["error invalid_value audio"]);
    }
  });

  test("with more audio than one message may have ends the session", () => {
    const dialect = opened(INTENT, { "limits.max_message_bytes": 1_024 }).create("abc");
    const [input] = new Talk(dialect).append(0.1);
    expect(input).toMatchObject({ kind: "refused", error: { code: "message_too_big" } });
    expect([dialect.endsAt?.("message_too_big"), dialect.endsAt?.("invalid_request")]).toEqual([true, false]);
  });

  test("never is binary", () => {
    expect(short(replies(new Talk().dialect.read(new Uint8Array(4))))).toEqual(["error invalid_value null"]);
  });
});

test("a refusal has a type that says whose fault it is", () => {
  const bodies = (["unauthorized", "too_many_sessions", "overloaded", "not_ready", "internal"] as const).map((code) => {
    const { error } = openai.refuse(new ProtocolError(code, "")) as { error: { type: string; code: string } };
    return `${error.type} ${error.code}`;
  });
  expect(bodies).toEqual([
    "invalid_request_error invalid_api_key",
    "rate_limit_error rate_limit_exceeded",
    "server_error overloaded",
    "server_error not_ready",
    "server_error internal",
  ]);
});

test.each([
  ["stop", 1000],
  ["drain", 1001],
  ["idle_timeout", 1001],
  ["session_limit", 1001],
  ["message_too_big", 1009],
  ["slow_reader", 1011],
  ["internal", 1011],
  ["overloaded", 1013],
  ["unauthorized", 1008],
] as const)("the end by %s closes with %i", (ending, code) => {
  expect(opened().create("abc").close(ending, "").code).toBe(code);
});

describe("the end of a stream with spans that have no answer", () => {
  const bounds = (start_time: number, end_time: number) => ({ channel: 0, start_time, end_time });
  const lost = (start: number, end: number) => {
    return errorEvent({ code: "internal", message: "a fault", ...bounds(start, end) });
  };

  test("has a failure for each item without a transcript, and one error", () => {
    const talk = new Talk();
    const messages = talk.tell(active(1), inactive(2), active(3), lost(0.8, 2.1), lost(2.8, 4), lost(4, 4.1));
    expect(short(messages).filter((line) => !/speech|added|done|committed/.test(line))).toEqual([
      "failed #1",
      "error internal null",
      "failed #2",
    ]);
  });

  test("has no item for silence, and no second error", () => {
    const talk = new Talk();
    const last = errorEvent({ code: "internal", message: "a fault" });
    expect(short(talk.tell(lost(0, 1), last, stopped("error", 1)))).toEqual(["error internal null"]);
    const manual = new Talk().manual();
    expect(short(manual.tell(lost(0, 1), stopped("error", 1)))).toEqual(["error internal null"]);
  });

  test("at a shutdown has failures only", () => {
    const talk = new Talk().manual();
    talk.append(1);
    replies(talk.send("input_audio_buffer.commit"));
    const cut = errorEvent({ code: "draining", message: "no answer in time", ...bounds(0, 1) });
    expect(short(talk.tell(cut, stopped("drain", 1)))).toEqual(["failed #1"]);
  });
});

test("a shutdown is no error, and a limit is one that the session has expired", () => {
  const talk = new Talk();
  expect(talk.tell(errorEvent({ code: "draining", message: "" }))).toEqual([]);
  expect(short(talk.tell(errorEvent({ code: "session_limit", message: "" })))).toEqual(["error session_expired null"]);
});
