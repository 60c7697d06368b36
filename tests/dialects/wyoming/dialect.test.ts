import { describe, expect, test } from "bun:test";

import type { OfferedModel } from "../../../src/dialects/dialect.ts";
import { readEvent, writeEvent } from "../../../src/dialects/wyoming/events.ts";
import { wyoming } from "../../../src/dialects/wyoming/port.ts";
import { Sessions } from "../../../src/session/sessions.ts";
import { concat, encode, noise, speech } from "../../support/audio.ts";
import type { Settings } from "../../support/in-process-server.ts";
import { Pipe } from "../../support/pipe.ts";
import { SessionHarness } from "../../support/session-harness.ts";

const FORMAT = { rate: 16_000, width: 2, channels: 1 };
const utterance = encode("s16", concat(speech([0.6]), noise(0.6)));

const chunk = (bytes: Uint8Array, format: object = FORMAT): [string, Uint8Array] => [
  JSON.stringify({ type: "audio-chunk", data: format, payload_length: bytes.length }),
  bytes,
];
const START = writeEvent("audio-start", FORMAT);
const STOP = writeEvent("audio-stop");

/** A client of the dialect, and the model's answers. */
class Conversation implements Disposable {
  readonly harness: SessionHarness;
  readonly sessions: Sessions;
  readonly pipe: Pipe;

  constructor(settings: Settings = {}, more: { options?: readonly string[]; models?: readonly string[] } = {}) {
    this.harness = new SessionHarness(settings);
    if (more.options !== undefined) this.harness.addModel("simulated", more.options);
    for (const name of more.models ?? []) this.harness.addModel(name);
    this.sessions = new Sessions(this.harness.services);
    const { config } = this.harness.services;
    const models = (): readonly OfferedModel[] => [...this.harness.services.models.values()];
    this.pipe = new Pipe(this.sessions, wyoming.open({ config, version: "9.9.9", models }));
  }

  /** The model's answer to each of its next jobs: a text, or a failure. */
  async answer(...texts: readonly (string | Error)[]): Promise<void> {
    for (const text of texts) {
      await this.harness.runDeferred();
      if (text instanceof Error) this.harness.fail();
      else this.harness.answer(0, { output: { text } });
    }
    await this.harness.runDeferred();
  }

  /** The events that the client has: their types, and the text, if there is one. */
  get said(): string[] {
    return this.pipe.lines.map((line) => {
      const { type, data } = readEvent(line.replace(/\n$/, ""));
      return typeof data["text"] === "string" ? `${type}: ${data["text"]}` : type;
    });
  }

  data(n = 0): Record<string, unknown> {
    return readEvent(this.pipe.lines[n] ?? "").data;
  }

  started(): Record<string, unknown>[] {
    return this.harness.log.filter(({ event }) => event === "stream_started");
  }

  [Symbol.dispose](): void {
    this.harness[Symbol.dispose]();
  }
}

describe("a client of the Wyoming protocol", () => {
  test("gets one transcript for a command, and its parts as they come; the connection stays for the next", async () => {
    using talk = new Conversation();
    talk.pipe.write(START, ...chunk(utterance), ...chunk(utterance), STOP);
    await talk.answer("turn left", "here");
    const command = [
      "transcript-start",
      "transcript-chunk: turn left ",
      "transcript-chunk: here ",
      "transcript: turn left here",
      "transcript-stop",
    ];
    expect(talk.said).toEqual(command);
    talk.pipe.write(START, ...chunk(utterance), STOP);
    await talk.answer("stop");
    expect(talk.said.slice(command.length)).toEqual([
      "transcript-start",
      "transcript-chunk: stop ",
      "transcript: stop",
      "transcript-stop",
    ]);
    expect(talk.pipe.closed).toBeUndefined();
  });

  test("gets the models, in the languages that are configured, and what it has pinged, also during a command", () => {
    using talk = new Conversation({ "wyoming.languages": "en,de" }, { models: ["second"] });
    talk.pipe.write(START, writeEvent("describe"), writeEvent("ping", { text: "tick" }), writeEvent("ping"));
    expect(talk.said).toEqual(["info", "pong: tick", "pong"]);
    expect(talk.data()).toMatchObject({
      asr: [
        {
          name: "streamer",
          installed: true,
          version: "9.9.9",
          requires_external_vad: true,
          models: [
            { name: "simulated", installed: true, languages: ["en", "de"], attribution: { url: "" }, version: null },
            { name: "second" },
          ],
        },
      ],
    });
  });

  test("gets an empty transcript for silence, and for a command without audio or without a start", async () => {
    using talk = new Conversation();
    talk.pipe.write(START, ...chunk(encode("s16", noise(1))), STOP);
    await talk.answer();
    talk.pipe.write(START, STOP);
    await talk.answer();
    talk.pipe.write(STOP);
    expect(talk.said).toEqual(["transcript: ", "transcript: ", "transcript: "]);
  });

  test("gets an error and the end of the connection when nothing was understood because the model has failed", async () => {
    using talk = new Conversation();
    talk.pipe.write(START, ...chunk(utterance), STOP);
    await talk.answer(new Error("failed"));
    expect(talk.said).toEqual(["error: a failure of the test"]);
    expect(talk.data()).toMatchObject({ code: "inference_failed" });
    expect([talk.pipe.closed?.ending, talk.sessions.size]).toEqual(["stop", 0]);
  });

  test("gets what was understood when the model has failed on a part", async () => {
    using talk = new Conversation();
    talk.pipe.write(START, ...chunk(utterance), ...chunk(utterance), STOP);
    await talk.answer(new Error("failed"), "here");
    expect(talk.said.slice(-2)).toEqual(["transcript: here", "transcript-stop"]);
    expect(talk.pipe.closed).toBeUndefined();
  });

  test("may leave out the start, and the stop: the end of what it sends is the end of the command", async () => {
    using talk = new Conversation();
    talk.pipe.write(...chunk(utterance));
    talk.pipe.finish();
    await talk.answer("turn left");
    expect(talk.said.at(-2)).toBe("transcript: turn left");
    expect(talk.pipe.closed?.ending).toBe("stop");
  });

  test("may end without a word, and is not waited for", () => {
    using talk = new Conversation();
    talk.pipe.finish();
    expect([talk.pipe.closed?.ending, talk.sessions.size]).toEqual(["stop", 0]);
  });

  test("keeps its texts when the format changes within a command, and loses them when it starts anew", async () => {
    using talk = new Conversation();
    const slow = encode("s16", concat(speech([0.6], { rate: 8_000 }), noise(0.6, { rate: 8_000 })));
    talk.pipe.write(START, ...chunk(utterance), ...chunk(slow, { ...FORMAT, rate: 8_000 }), STOP);
    await talk.answer("turn left", "here");
    expect(talk.said.at(-2)).toBe("transcript: turn left here");
    expect(talk.started().map((record) => record["sample_rate"])).toEqual([16_000, 8_000]);
    talk.pipe.write(START, ...chunk(utterance), START, ...chunk(utterance), STOP);
    await talk.answer("lost", "kept");
    expect(talk.said.at(-2)).toBe("transcript: kept");
  });

  test("has the texts of all channels in the order of time", async () => {
    using talk = new Conversation();
    const [first, second] = [speech([0.6]), concat(noise(1.5), speech([0.6]))];
    const length = Math.max(first.length, second.length) + 16_000;
    const padded = [first, second].map((samples) => concat(samples, noise((length - samples.length) / 16_000)));
    const stereo = { ...FORMAT, channels: 2 };
    talk.pipe.write(...chunk(encode("s16", ...padded), stereo), STOP);
    await talk.harness.runDeferred();
    const lanes = talk.harness.pendingJobs.map(({ lane }) => lane);
    for (const lane of lanes.toReversed()) {
      const n = talk.harness.pendingJobs.findIndex((job) => job.lane === lane);
      talk.harness.answer(n, { output: { text: `channel ${lane}` } });
    }
    await talk.harness.runDeferred();
    expect(talk.said.at(-2)).toBe("transcript: channel 0 channel 1");
  });

  test.each([
    [1, "u8"],
    [2, "s16"],
    [3, "s24"],
    [4, "s32"],
  ] as const)("may send samples of %d bytes", (width, format) => {
    using talk = new Conversation();
    talk.pipe.write(writeEvent("audio-start", { ...FORMAT, width }));
    expect(talk.started()).toMatchObject([{ sample_format: format }]);
  });

  test("is told what is wrong with a format that is not taken, and the connection ends", () => {
    for (const wrong of [{ width: 5 }, { width: "2" }, { rate: 1 }, { channels: 0 }, { rate: undefined }]) {
      using talk = new Conversation();
      talk.pipe.write(writeEvent("audio-start", { ...FORMAT, ...wrong }), STOP, START);
      expect(talk.said).toHaveLength(1);
      expect(talk.said[0]).toStartWith("error: ");
      expect([talk.pipe.closed === undefined, talk.sessions.size]).toEqual([false, 0]);
    }
  });

  test("chooses a model by a name of this server, and gets the default for others", () => {
    for (const [name, model] of [
      ["second", "second"],
      ["whisper-large", "simulated"],
      [undefined, "simulated"],
    ]) {
      using talk = new Conversation({}, { models: ["second"] });
      talk.pipe.write(writeEvent("transcribe", { name, language: "en" }), START);
      expect(talk.started()).toMatchObject([{ model }]);
    }
  });

  test("hears nothing about events that are not known, and none of its time limits", () => {
    using talk = new Conversation({ "limits.start_timeout_ms": 10, "limits.idle_timeout_ms": 1_000 });
    talk.pipe.write(writeEvent("synthesize", { text: "hello" }), writeEvent("detection"), '{"type":"__proto__"}');
    talk.sessions.sweep((talk.harness.now = 900));
    expect(talk.pipe.closed).toBeUndefined();
    talk.sessions.sweep((talk.harness.now = 2_000));
    expect([talk.pipe.lines, talk.pipe.closed?.ending]).toEqual([[], "idle_timeout"]);
  });

  test("gets the transcript of what has come when the server shuts down", async () => {
    using talk = new Conversation({ "limits.drain": "now" });
    talk.pipe.write(START, ...chunk(utterance));
    const drained = talk.sessions.drain();
    await talk.answer("turn left");
    await drained;
    expect(talk.said.at(-2)).toBe("transcript: turn left");
    expect(talk.pipe.closed?.ending).toBe("drain");
  });

  test("of a model without texts gets its fields", async () => {
    using talk = new Conversation();
    talk.pipe.write(START, ...chunk(utterance), STOP);
    await talk.harness.answerAll();
    expect(talk.said.at(-2)).toMatch(/^transcript: count=\d+$/);
  });
});
