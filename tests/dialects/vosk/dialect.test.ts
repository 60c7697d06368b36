import { describe, expect, test } from "bun:test";

import fc from "fast-check";
import * as v from "valibot";

import type { OfferedModel } from "../../../src/dialects/dialect.ts";
import { MAX_WAITING } from "../../../src/dialects/vosk/dialect.ts";
import { serverMessageSchema } from "../../../src/dialects/vosk/messages.ts";
import { vosk } from "../../../src/dialects/vosk/route.ts";
import { Sessions } from "../../../src/session/sessions.ts";
import { concat, encode, noise, speech, voice, wav } from "../../support/audio.ts";
import type { Settings } from "../../support/in-process-server.ts";
import { Pipe } from "../../support/pipe.ts";
import { SessionHarness } from "../../support/session-harness.ts";

const samples = concat(speech([0.6]), noise(0.6));
const utterance = encode("s16", samples);
const CONFIG = '{"config": {"sample_rate": 16000.0}}';
const EOF = '{"eof" : 1}';
const RESET = '{"reset" : 1}';

/** A WAV file of this rate, Hz. */
const file = (sample_rate: number): Buffer =>
  wav({ channels: 1, sample_rate, bit_depth: 16, is_float: false }, utterance);

/** A client of the dialect, and the model's answers. */
class Conversation implements Disposable {
  readonly harness: SessionHarness;
  readonly sessions: Sessions;
  readonly pipe: Pipe;

  constructor(settings: Settings = {}, models: Readonly<Record<string, readonly string[]>> = {}) {
    this.harness = new SessionHarness(settings);
    for (const [name, options] of Object.entries(models)) this.harness.addModel(name, options);
    this.sessions = new Sessions(this.harness.services);
    const { config } = this.harness.services;
    const offered: readonly OfferedModel[] = [...this.harness.services.models.values()];
    this.pipe = new Pipe(this.sessions, vosk.open("/", new Request("http://localhost/"), config, offered));
  }

  /** Answers the finals that are there, or come, and interims before them. */
  async answer(...texts: readonly (string | Error)[]): Promise<void> {
    for (const text of texts) {
      await this.harness.runDeferred();
      while (this.harness.pendingJobs[0]?.job.kind === "interim") {
        this.harness.answer(0, { output: { text: "part" } });
        await this.harness.runDeferred();
      }
      if (text instanceof Error) this.harness.fail();
      else this.harness.answer(0, { output: { text } });
    }
    await this.harness.runDeferred();
  }

  get said(): unknown[] {
    return this.pipe.lines.map((line) => v.parse(serverMessageSchema, JSON.parse(line)));
  }

  /** Texts of the results. */
  get texts(): string[] {
    return this.said.flatMap((message) =>
      message instanceof Object && "text" in message ? [String(message.text)] : [],
    );
  }

  get started(): Record<string, unknown>[] {
    return this.harness.log.filter(({ event }) => event === "stream_started");
  }

  [Symbol.dispose](): void {
    this.harness[Symbol.dispose]();
  }
}

describe("a client of vosk-server", () => {
  test("gets one answer to each message of audio, its result with the next one, and one at the end, then 1000", async () => {
    using talk = new Conversation();
    talk.pipe.write(CONFIG, utterance);
    expect(talk.said).toEqual([{ partial: "" }]);
    await talk.answer("turn left");
    expect(talk.said).toHaveLength(1);
    talk.pipe.write(utterance);
    expect(talk.said[1]).toMatchObject({ text: "turn left", result: [{ word: "turn" }, { word: "left" }] });
    talk.pipe.write(EOF);
    await talk.answer("here");
    expect(talk.texts).toEqual(["turn left", "here"]);
    expect(talk.pipe.closed).toMatchObject({ ending: "stop", code: 1000 });
  });

  test("never gets two answers to one message, whatever the model's delay, and all results in the end", async () => {
    const cuts = fc.array(fc.integer({ min: 501, max: 30_000 }), { minLength: 1, maxLength: 8 });
    const delays = fc.array(fc.nat(3), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(cuts, delays, async (sizes, answered) => {
        using talk = new Conversation();
        talk.pipe.write(CONFIG);
        const audio = Buffer.concat([utterance, utterance, utterance]);
        let sent = 0;
        for (let at = 0; at < audio.length;) {
          const size = sizes[sent % sizes.length] ?? 2;
          talk.pipe.write(audio.subarray(at, at + size));
          at += size;
          sent += 1;
          expect(talk.pipe.lines).toHaveLength(sent);
          await talk.harness.runDeferred();
          for (let n = answered[sent % answered.length] ?? 0; n > 0 && talk.harness.pendingJobs.length > 0; n--) {
            talk.harness.answer(0, { output: { text: "word" } });
          }
          await talk.harness.runDeferred();
          expect(talk.pipe.lines).toHaveLength(sent);
        }
        talk.pipe.write(EOF);
        for (await talk.harness.runDeferred(); talk.harness.pendingJobs.length > 0; await talk.harness.runDeferred()) {
          talk.harness.answer(0, { output: { text: "word" } });
        }
        expect(talk.said).toHaveLength(sent + 1);
        expect(talk.texts.join(" ").trim().split(/\s+/)).toHaveLength(3);
      }),
      { numRuns: 30 },
    );
  });

  test("has results that are ready together joined in the last answer, words in order", async () => {
    using talk = new Conversation();
    talk.pipe.write(CONFIG, utterance, utterance, EOF);
    await talk.answer("turn left", "here");
    const last = talk.said.at(-1) as { text: string; result: { start: number; word: string }[] };
    expect(last.text).toBe("turn left here");
    expect(last.result.map(({ word }) => word)).toEqual(["turn", "left", "here"]);
    expect(last.result.map(({ start }) => start)).toEqual(
      last.result.map(({ start }) => start).toSorted((a, b) => a - b),
    );
  });

  test("gets all results with one answer when many wait, so that long messages do not delay them for ever", async () => {
    using talk = new Conversation();
    talk.pipe.write(CONFIG);
    for (let sent = 0; sent < MAX_WAITING; sent++) {
      talk.pipe.write(Buffer.concat([utterance, utterance, utterance]));
      for (await talk.harness.runDeferred(); talk.harness.pendingJobs.length > 0; await talk.harness.runDeferred()) {
        talk.harness.answer(0, { output: { text: "word" } });
      }
    }
    const lengths = talk.texts.map((text) => text.split(" ").length);
    expect(Math.max(...lengths)).toBe(MAX_WAITING + 1);
    expect(talk.said).toHaveLength(MAX_WAITING);
  });

  test("gets what there is of a result, meanwhile", async () => {
    using talk = new Conversation();
    talk.pipe.write(CONFIG, encode("s16", concat(noise(0.5), voice(1.2))));
    await talk.harness.runDeferred();
    const interim = talk.harness.pendingJobs.findIndex(({ job }) => job.kind === "interim");
    expect(interim).toBeGreaterThanOrEqual(0);
    talk.harness.answer(interim, { output: { text: "turn" } });
    await talk.harness.runDeferred();
    talk.pipe.write(encode("s16", noise(0.01)));
    expect(talk.said.at(-1)).toEqual({ partial: "turn" });
  });

  test("has 8,000 Hz unless it says otherwise, and the format of a WAV header even then", () => {
    for (const [messages, rate] of [
      [[utterance], 8_000],
      [['{"config": {"sample_rate": 22050.4}}', utterance], 22_050],
      [[CONFIG, file(44_100)], 44_100],
      [[file(11_025)], 11_025],
    ] as const) {
      using talk = new Conversation();
      talk.pipe.write(...messages);
      expect(talk.started).toMatchObject([{ sample_rate: rate }]);
    }
  });

  test("takes a WAV header in pieces, with an answer for each", () => {
    using talk = new Conversation();
    const bytes = file(44_100);
    talk.pipe.write(bytes.subarray(0, 20), bytes.subarray(20, 30), bytes.subarray(30));
    expect(talk.said).toHaveLength(3);
    expect(talk.started).toMatchObject([{ sample_rate: 44_100 }]);
  });

  test("gets no answer to a configuration, which holds from the next audio on, and keeps its results", async () => {
    using talk = new Conversation();
    talk.pipe.write(CONFIG, utterance, '{"config": {"sample_rate": 8000, "words": false}}', utterance);
    expect(talk.said).toHaveLength(1);
    await talk.answer("turn left");
    talk.pipe.write(EOF);
    await talk.answer("late");
    expect(talk.started.map((record) => record["sample_rate"])).toEqual([16_000, 8_000]);
    expect(talk.said[1]).toEqual({ text: "turn left" });
  });

  test("gets a list of alternatives, of one, if it asks for some, also when nothing was said", async () => {
    using talk = new Conversation();
    talk.pipe.write('{"config": {"sample_rate": 16000, "max_alternatives": 3}}', utterance, RESET);
    await talk.answer("turn left");
    talk.pipe.write(EOF);
    await talk.harness.answerAll();
    expect(talk.said.slice(1)).toEqual([
      { alternatives: [{ confidence: 1, text: "turn left" }] },
      { alternatives: [{ confidence: 1, text: "" }] },
    ]);
  });

  test("gets one result for a reset, with what was said up to then, or none", async () => {
    using talk = new Conversation();
    talk.pipe.write(RESET, CONFIG, encode("s16", speech([0.6])), RESET);
    await talk.answer("turn left");
    expect(talk.texts).toEqual(["", "turn left"]);
  });

  test("gets one result for a reset also when a WAV header has several channels", async () => {
    using talk = new Conversation();
    const format = { channels: 2, sample_rate: 16_000, bit_depth: 16, is_float: false };
    talk.pipe.write(wav(format, encode("s16", speech([0.6]), noise(0.9))), RESET);
    await talk.answer("turn left");
    expect(talk.said).toHaveLength(2);
    expect(talk.texts).toEqual(["turn left"]);
  });

  test("gets an empty result at the end when it has sent no audio, or nothing was understood", async () => {
    using talk = new Conversation();
    talk.pipe.write(EOF);
    await talk.harness.answerAll();
    expect([talk.said, talk.pipe.closed?.code]).toEqual([[{ text: "" }], 1000]);
    using failed = new Conversation();
    failed.pipe.write(CONFIG, utterance, EOF);
    await failed.answer(new Error("failed"));
    expect([failed.said.at(-1), failed.pipe.closed?.code]).toEqual([{ text: "" }, 1000]);
  });

  test("has what it has sent of a WAV header in the ledger when it ends there", async () => {
    using talk = new Conversation();
    const { pipe, harness } = talk;
    pipe.write(file(16_000).subarray(0, 30), EOF);
    await harness.runDeferred();
    expect(talk.said.at(-1)).toMatchObject({ text: "" });
    expect(pipe.closed?.code).toBe(1000);
    const stopped = harness.log.filter(({ event }) => event === "stream_stopped");
    expect(stopped).toMatchObject([{ skipped_bytes: 30, ledger: [{ decoded: 0, inferred: 0, silent: 0, failed: 0 }] }]);
  });

  test("is disconnected with 1008 for what cannot be understood", () => {
    for (const wrong of ["{", "[]", '{"something": 1}', '{"config": 1}', '{"config": {"sample_rate": "x"}}']) {
      using talk = new Conversation();
      talk.pipe.write(wrong);
      expect([talk.said, talk.pipe.closed?.code]).toEqual([[], 1008]);
    }
    using talk = new Conversation();
    talk.pipe.write('{"config": {"sample_rate": 1}}', utterance);
    expect([talk.pipe.closed?.code, talk.sessions.size]).toEqual([1008, 0]);
  });

  test("chooses a model that is known here, and gives it phrases if it takes a vocabulary", () => {
    using talk = new Conversation({}, { second: ["vocabulary"] });
    talk.pipe.write('{"config": {"sample_rate": 16000, "model": "second", "phrase_list": ["turn left"]}}', utterance);
    expect(talk.started).toMatchObject([{ model: "second" }]);
    using other = new Conversation();
    other.pipe.write('{"config": {"sample_rate": 16000, "model": "vosk-model-en", "phrase_list": ["a"]}}', utterance);
    expect(other.started).toMatchObject([{ model: "simulated" }]);
  });
});
