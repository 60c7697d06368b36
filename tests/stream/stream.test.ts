import { describe, expect, test } from "bun:test";

import { Arena } from "../../src/audio/arena.ts";
import type { ServerEvent } from "../../src/protocol/events.ts";
import { concat, encode, noise, voice, wav } from "../support/audio.ts";
import { FOREIGN_SAMPLES, frames } from "../support/foreign-audio.ts";
import { cut, noise as noiseBytes } from "../support/pcm.ts";
import { recorded } from "../support/recorded.ts";
import { DrivenStream, holdsMs, spoken, type StreamCase, StreamHarness } from "../support/stream-harness.ts";
import { chunk } from "../support/wav-bytes.ts";

const SIMPLE: StreamCase = {
  pattern: "simple",
  sampleFormat: "s16",
  channels: 1,
  sampleRate: 16_000,
  modelRate: 16_000,
};
const SEGMENTED: StreamCase = { ...SIMPLE, pattern: "segmented" };

function harness(slabs = 256): StreamHarness {
  return new StreamHarness(slabs, 16_000, 0, 1);
}

/** `segment 0..0.1`, `error code`, `stopped reason`: events in short. */
function summaries(events: readonly ServerEvent[]): string[] {
  return events.map((event) => {
    if (event.type === "segment")
      return `${event.is_final === false ? "interim" : "segment"} ${event.start_time}..${event.end_time}`;
    if (event.type === "error" || event.type === "warning") return `${event.type} ${event.code}`;
    if (event.type === "stopped") return `stopped ${event.reason}`;
    return event.type;
  });
}

function zeros(seconds: number): Uint8Array {
  return new Uint8Array(Math.round(seconds * 16_000) * 2);
}

describe("the end of a stream", () => {
  test("stopped is the last event, and after stop nothing is lost", async () => {
    const driven = new DrivenStream(harness(), SIMPLE);
    await driven.send(zeros(0.25));
    await driven.stop();
    expect(summaries(driven.events)).toEqual([
      "segment 0..0.1",
      "segment 0.1..0.2",
      "segment 0.2..0.25",
      "stopped stop",
    ]);
    expect(driven.ledgers[0]).toEqual({
      channel: 0,
      received: 4000,
      received_rate: 16_000,
      decoded: 4000,
      inferred: 4000,
      silent: 0,
      failed: 0,
      segments: 3,
      interims: 0,
      errors: 0,
    });
  });

  test("an utterance that is still open at the stop gets its result", async () => {
    const driven = new DrivenStream(harness(), SEGMENTED);
    await driven.send(encode("s16", concat(noise(0.8), voice(0.53))));
    await driven.stop();
    const final = driven.events.find((event) => event.type === "segment");
    expect(final).toMatchObject({ is_final: true, end_time: 1.33 });
    expect(summaries(driven.events).map((each) => each.split(" ")[0])).toEqual([
      "active",
      "inactive",
      "segment",
      "stopped",
    ]);
  });

  test("the tail that a resampler still owes is decoded and answered", async () => {
    for (const sampleRate of [8000, 11_025, 48_000]) {
      const driven = new DrivenStream(harness(), { ...SIMPLE, sampleRate });
      await driven.send(new Uint8Array(2 * 777));
      await driven.stop();
      const decoded = Math.round((777 * 16_000) / sampleRate);
      expect(driven.ledgers[0]).toMatchObject({ received: 777, decoded, inferred: decoded });
    }
  });

  test("a second stop, and an abort behind the end, change nothing", async () => {
    const driven = new DrivenStream(harness(), SIMPLE);
    await driven.send(zeros(0.05));
    driven.stream.end("drain");
    driven.stream.end("stop");
    await driven.stop();
    driven.stream.abort({ code: "internal", message: "late", reason: "error" }, 100);
    expect(driven.advance()).toBe(true);
    expect(summaries(driven.events)).toEqual(["segment 0..0.05", "stopped drain"]);
  });

  test("trailing bytes of an incomplete frame are reported, and a stream without audio has an empty ledger", async () => {
    const driven = new DrivenStream(harness(), { ...SIMPLE, channels: 2 });
    await driven.send(new Uint8Array(403));
    await driven.stop();
    expect(driven.events.at(-1)).toMatchObject({ trailing_bytes: 3, channels: [{ received: 100 }, { received: 100 }] });
    const empty = new DrivenStream(harness(), SEGMENTED);
    await empty.stop();
    expect(summaries(empty.events)).toEqual(["stopped stop"]);
    expect(empty.ledgers[0]).toMatchObject({ received: 0, decoded: 0, inferred: 0, silent: 0, failed: 0 });
  });
});

describe("a stream that is given up", () => {
  test("without anything unanswered it sends one error without bounds", () => {
    const driven = new DrivenStream(harness(), SEGMENTED);
    driven.stream.abort({ code: "idle_timeout", message: "nothing came", reason: "limit" }, 0);
    expect(driven.events.map(({ type }) => type)).toEqual(["error", "stopped"]);
    expect(driven.events[0]).toEqual({
      type: "error",
      code: "idle_timeout",
      message: "nothing came",
      fatal: true,
      retryable: true,
      retry_after_ms: expect.any(Number),
    } as never);
    expect(driven.events[1]).toMatchObject({ reason: "limit" });
  });

  test("bytes that were kept back because they might be a header are received and failed too", () => {
    const driven = new DrivenStream(harness(), SIMPLE);
    driven.stream.offer(Buffer.from("RIFF12"));
    driven.stream.abort({ code: "overloaded", message: "full", reason: "error" }, 4);
    expect(driven.ledgers[0]).toMatchObject({ received: 5, decoded: 5, failed: 5, errors: 1 });
  });

  test("what lies unread counts as received and failed", () => {
    const driven = new DrivenStream(harness(), { ...SIMPLE, budgetSeconds: 0.2 });
    driven.stream.offer(zeros(1));
    expect(driven.advance()).toBe(false);
    driven.stream.abort({ code: "session_limit", message: "too long", reason: "limit" }, 3201);
    expect(driven.ledgers[0]).toMatchObject({ received: 17_600, failed: 17_600, inferred: 0, silent: 0 });
    expect(driven.events.at(-1)).toMatchObject({ trailing_bytes: 1 });
    const ends = driven.events.map((event) => (event.type === "error" ? event.end_time : 0));
    expect(Math.max(...ends.map((end) => end ?? 0))).toBe(1.1);
  });

  test("it is over and holds nothing even when sending fails", () => {
    const here = harness();
    const driven = new DrivenStream(here, SIMPLE);
    driven.stream.offer(zeros(0.35));
    driven.advance();
    expect(here.arena.used).toBeGreaterThan(0);
    driven.events.push = () => {
      throw new Error("the peer is broken");
    };
    expect(() => driven.stream.abort({ code: "internal", message: "gone", reason: "error" }, 0)).toThrow("broken");
    expect(driven.stream.over).toBe(true);
    expect(here.model.lanes).toBe(0);
    expect(here.arena.used).toBe(0);
  });
});

describe("a WAV header", () => {
  const FORMAT = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };

  test("at the start of a stream is skipped, wherever the messages are cut", async () => {
    const audio = Buffer.from(spoken(SEGMENTED, 1, [0.5]));
    const plain = new DrivenStream(harness(), SEGMENTED);
    await plain.send(audio);
    await plain.stop();
    for (const size of [1, 13, 44, 45, 1000, 100_000]) {
      const file = wav(FORMAT, audio);
      const driven = new DrivenStream(harness(), SEGMENTED);
      for (let at = 0; at < file.length;) {
        const end = at + (at < 100 ? size : 10_000);
        await driven.send(file.subarray(at, end));
        at = end;
      }
      await driven.stop();
      expect(driven.events[0]).toMatchObject({ type: "warning", code: "wav_header" });
      expect(driven.essence.results).toEqual(plain.essence.results);
      expect(driven.ledgers).toEqual(plain.ledgers);
      expect(driven.events.at(-1)).toMatchObject({ skipped_bytes: 44, trailing_bytes: 0 });
    }
  });

  test("has chunks behind its audio skipped, wherever the messages are cut", async () => {
    const audio = Buffer.from(spoken(SEGMENTED, 1, [0.5]));
    const tail = chunk("id3 ", new Uint8Array(5000).fill(99));
    const file = Buffer.concat([wav(FORMAT, audio), tail]);
    file.writeUInt32LE(file.length - 8, 4);
    const plain = new DrivenStream(harness(), SEGMENTED);
    await plain.send(audio);
    await plain.stop();
    for (const size of [997, 44 + audio.length + 3, 100_000]) {
      const driven = new DrivenStream(harness(), SEGMENTED);
      for (const piece of cut(file, [size])) await driven.send(Buffer.from(piece));
      await driven.stop();
      expect(driven.essence.results).toEqual(plain.essence.results);
      expect(driven.ledgers).toEqual(plain.ledgers);
      expect(driven.events.at(-1)).toMatchObject({ skipped_bytes: 44 + tail.length, trailing_bytes: 0 });
    }
  });

  test("has a second data chunk skipped with the warning wav_data, once, wherever the messages are cut", async () => {
    const audio = Buffer.from(spoken(SEGMENTED, 1, [0.5]));
    const data = chunk("data", new Uint8Array(3000).fill(99));
    for (const tail of [Buffer.concat([data]), Buffer.concat([chunk("LIST", Buffer.from("INFO")), data, data])]) {
      const file = Buffer.concat([wav(FORMAT, audio), tail]);
      file.writeUInt32LE(file.length - 8, 4);
      for (const size of [997, 44 + audio.length + 3, 100_000]) {
        const driven = new DrivenStream(harness(), SEGMENTED);
        for (const piece of cut(file, [size])) await driven.send(Buffer.from(piece));
        await driven.stop();
        const warnings = driven.events.filter((event) => event.type === "warning");
        expect(warnings.map(({ code }) => code)).toEqual(["wav_header", "wav_data"]);
        expect(driven.ledgers[0]).toMatchObject({ received: audio.length / 2 });
        expect(driven.events.at(-1)).toMatchObject({ skipped_bytes: 44 + tail.length });
      }
    }
  });

  test("of another format ends the stream with format_mismatch and nothing else", async () => {
    const driven = new DrivenStream(harness(), SIMPLE);
    await driven.send(wav({ ...FORMAT, sample_rate: 44_100 }, Buffer.alloc(1000)));
    await driven.stop();
    expect(summaries(driven.events)).toEqual(["error format_mismatch", "stopped error"]);
    expect(driven.events[0]).toMatchObject({ fatal: false, message: expect.stringContaining("sample_rate 44100") });
    expect(driven.ledgers[0]).toMatchObject({ received: 0, decoded: 0 });
  });

  test("in the middle ends the stream, and what came before is answered", async () => {
    const before = zeros(0.15);
    const driven = new DrivenStream(harness(), SIMPLE);
    await driven.send(Buffer.concat([before, wav(FORMAT, Buffer.alloc(1000))]));
    await driven.stop();
    expect(summaries(driven.events)).toEqual([
      "error format_mismatch",
      "segment 0..0.1",
      `segment 0.1..${(2400 + 6) / 16_000}`,
      "stopped error",
    ]);
  });

  test("that never ends leaves a stream without audio", async () => {
    const driven = new DrivenStream(harness(), SIMPLE);
    await driven.send(wav(FORMAT, Buffer.alloc(0)).subarray(0, 30));
    await driven.stop();
    expect(driven.events.at(-1)).toMatchObject({ skipped_bytes: 30, trailing_bytes: 0, channels: [{ received: 0 }] });
  });

  test("cut off within its first bytes is audio", async () => {
    const driven = new DrivenStream(harness(), SIMPLE);
    await driven.send(Buffer.from("RIFFabcdWA"));
    await driven.stop();
    expect(summaries(driven.events)).toEqual([`segment 0..${5 / 16_000}`, "stopped stop"]);
  });
});

describe("audio that is not PCM", () => {
  const NOTHING_RECEIVED = { received: 0, decoded: 0, inferred: 0, silent: 0, failed: 0 };
  /** Two frames of MP3, of which no third one follows: audio after all. */
  const LIKE_FRAMES = frames("fffb9444", [384, 384]);

  test.each(FOREIGN_SAMPLES)(
    "$title ends the stream with format_mismatch, however it is cut",
    async ({ bytes, needed }) => {
      const file = Buffer.concat([bytes, noiseBytes("s16", 2000, 1, 1)]);
      const whole = new DrivenStream(harness(), SIMPLE);
      await whole.send(file);
      await whole.stop();
      expect(summaries(whole.events)).toEqual(["error format_mismatch", "stopped error"]);
      expect(whole.ledgers[0]).toMatchObject(NOTHING_RECEIVED);
      expect(whole.events.at(-1)).toMatchObject({ trailing_bytes: 0, skipped_bytes: 0 });
      for (const size of [1, 3, needed, needed - 1, 1000]) {
        const driven = new DrivenStream(harness(), SIMPLE);
        for (const piece of cut(file, [size])) if (!driven.stream.over) await driven.send(piece.slice());
        expect(driven.events).toEqual(whole.events);
      }
    },
  );

  test("is named with what to send", async () => {
    const driven = new DrivenStream(harness(), { ...SIMPLE, sampleFormat: "f32", channels: 2 });
    await driven.send(Buffer.from("OggS\0"));
    expect(driven.events[0]).toMatchObject({
      code: "format_mismatch",
      fatal: false,
      message: expect.stringMatching(/found an Ogg file .*allowed: PCM .*-f f32le -ac 2 -ar 16000 /),
    });
  });

  test("is not looked for behind the first bytes", async () => {
    const driven = new DrivenStream(harness(), SIMPLE);
    await driven.send(Buffer.from("..OggS"));
    await driven.stop();
    expect(summaries(driven.events)).toEqual([`segment 0..${3 / 16_000}`, "stopped stop"]);
  });

  test("is not held against bytes that only resemble it: they are audio from the first one on", async () => {
    const padded = Buffer.concat([LIKE_FRAMES, Buffer.alloc(4001)]);
    for (const length of [1, 3, 4, 383, 384, 385, 768, 769, 4000]) {
      for (const size of [1, 7, 5000]) {
        const driven = new DrivenStream(harness(), SIMPLE);
        for (const piece of cut(padded.subarray(0, length), [size])) await driven.send(piece.slice());
        await driven.stop();
        const samples = Math.floor(length / 2);
        expect(driven.ledgers[0]).toMatchObject({ received: samples, decoded: samples, inferred: samples });
        expect(driven.events.at(-1)).toMatchObject({ reason: "stop", trailing_bytes: length % 2 });
      }
    }
  });

  test("that may follow does not move a flush: the bytes in front of it are audio", async () => {
    for (const size of [1, 7, 386]) {
      const here = harness();
      const driven = new DrivenStream(here, SIMPLE);
      driven.flush();
      for (const piece of cut(LIKE_FRAMES.subarray(0, 386), [size])) await driven.send(piece.slice());
      expect(driven.stream.decodedSeconds).toBe(0);
      driven.flush();
      await here.answer(10);
      await driven.send(new Uint8Array(14));
      await driven.stop();
      expect(summaries(driven.events)).toEqual([
        "flushed",
        `segment 0..${193 / 16_000}`,
        "flushed",
        `segment ${193 / 16_000}..${200 / 16_000}`,
        "stopped stop",
      ]);
    }
  });

  test("is still recognised when a flush comes before the first byte", async () => {
    const driven = new DrivenStream(harness(), SIMPLE);
    driven.flush();
    await driven.send(Buffer.from("fLaC"));
    expect(summaries(driven.events)).toEqual(["flushed", "error format_mismatch", "stopped error"]);
  });

  test("that may follow when a stream is aborted counts as received and failed", async () => {
    const driven = new DrivenStream(harness(), SIMPLE);
    await driven.send(LIKE_FRAMES.subarray(0, 301));
    driven.stream.abort({ code: "internal", message: "gone", reason: "error" }, 0);
    expect(driven.ledgers[0]).toMatchObject({ received: 150, decoded: 150, inferred: 0, failed: 150 });
    expect(driven.events.at(-1)).toMatchObject({ trailing_bytes: 1 });
  });
});

describe("audio that looks like something else", () => {
  test("is named once by a warning, and counts as audio, however it is cut", async () => {
    const bytes = encode("f32", voice(2));
    const whole = new DrivenStream(harness(), SIMPLE);
    await whole.send(bytes);
    await whole.stop();
    const message = expect.stringContaining("32-bit floats, not 16-bit integers");
    expect(whole.events.filter(({ type }) => type === "warning")).toEqual([
      { type: "warning", code: "looks_like", message },
    ]);
    expect(whole.ledgers[0]).toMatchObject({ received: 64_000, inferred: 64_000, failed: 0 });
    for (const size of [7, 3200]) {
      const driven = new DrivenStream(harness(), SIMPLE);
      for (const piece of cut(bytes, [size])) await driven.send(piece.slice());
      await driven.stop();
      expect(driven.essence).toEqual(whole.essence);
    }
  });
});

describe("quiet speech that the detector does not find", () => {
  const scaled = async (side: 0 | 1, gainDb: number) =>
    (await recorded(side)).map((sample) => sample * 10 ** (gainDb / 20));
  const warnings = ({ events }: DrivenStream) => events.filter(({ type }) => type === "warning");

  test("is reported as too_quiet once for all channels, where it is found first, however the audio is cut", async () => {
    const speech = await scaled(0, -40);
    const later = concat(speech.subarray(0, 320), speech.subarray(0, -320));
    const bytes = encode("f32", later, speech, speech);
    const streamCase: StreamCase = { ...SEGMENTED, sampleFormat: "f32", channels: 3 };
    const whole = new DrivenStream(harness(2048), streamCase);
    await whole.send(bytes);
    await whole.stop();
    const message = expect.stringMatching(/about -6\d dBFS.* raise the recording level by 3\d dB/);
    expect(warnings(whole)).toEqual([{ type: "warning", code: "too_quiet", message, channel: 1 }]);
    for (const size of [777, 64_000, 3_000_000]) {
      const driven = new DrivenStream(harness(2048), streamCase);
      for (const piece of cut(bytes, [size])) await driven.send(piece.slice());
      await driven.stop();
      expect(driven.essence.warnings).toEqual(whole.essence.warnings);
    }
  });

  test("that is too short for a report on the way is reported as too_quiet before stopped", async () => {
    const driven = new DrivenStream(harness(2048), SEGMENTED);
    await driven.send(encode("s16", (await scaled(1, -40)).subarray(0, 5 * 16_000)));
    expect(warnings(driven)).toEqual([]);
    await driven.stop();
    expect(warnings(driven)).toMatchObject([{ code: "too_quiet", channel: 0 }]);
    expect(driven.events.at(-1)?.type).toBe("stopped");
  });
});

describe("flush", () => {
  test("is answered for every channel after the results that it caused, and the clock goes on", async () => {
    const here = harness();
    const driven = new DrivenStream(here, { ...SIMPLE, channels: 2 });
    await driven.send(new Uint8Array(4 * 800));
    driven.flush();
    expect(driven.events).toEqual([]);
    await here.answer(10);
    const words = driven.events.map((event) => `${event.type} ${"channel" in event ? event.channel : ""}`);
    expect(words.toSorted()).toEqual(["flushed 0", "flushed 1", "segment 0", "segment 1"]);
    await driven.send(new Uint8Array(4 * 800));
    await driven.stop();
    const later = driven.events.filter((event) => event.type === "segment").slice(2);
    for (const event of later) expect(event).toMatchObject({ start_time: 0.05, end_time: 0.1 });
  });
});

describe("limits", () => {
  test("no further ahead of the model than the budget is read", () => {
    const here = harness(512);
    const driven = new DrivenStream(here, { ...SIMPLE, channels: 3, budgetSeconds: 2 });
    driven.stream.offer(new Uint8Array(6 * 16_000 * 20));
    expect(driven.advance()).toBe(false);
    const perChannel = Math.ceil((2 * 16_000) / Arena.SLAB_SAMPLES) + 1;
    expect(here.arena.used).toBeLessThanOrEqual(3 * perChannel);
    expect(here.model.waiting.reduce((sum, { job }) => sum + job.audio.length, 0)).toBeLessThanOrEqual(3 * 32_000);
  });

  test("no more pieces than the limit wait, but for those of one slab", () => {
    const here = harness(512);
    const driven = new DrivenStream(here, { ...SIMPLE, blockMs: 20, maxPending: 7 });
    driven.stream.offer(zeros(10));
    expect(driven.advance()).toBe(false);
    expect(driven.stream.full).toBe(true);
    expect(here.model.waiting.length).toBeLessThanOrEqual(7 + Math.ceil(Arena.SLAB_SAMPLES / 320));
  });

  test("silence is not kept, however long it is", async () => {
    const here = harness(4);
    const driven = new DrivenStream(here, SEGMENTED);
    for (let i = 0; i < 20; i++) {
      await driven.send(encode("s16", noise(3, { seed: i })));
      expect(here.arena.used).toBeLessThanOrEqual(2);
    }
    await driven.stop();
    expect(driven.ledgers[0]).toMatchObject({ silent: 960_000, inferred: 0 });
    expect(here.memory.waits).toBe(0);
  });

  test("settings that may keep the longest audio before it is speech do not fill the budget for ever", async () => {
    const vad = { min_speech_ms: 2000, max_utterance_ms: 1000, pre_roll_ms: 0, min_silence_ms: 100, post_roll_ms: 0 };
    // Clicks, 60 ms apart: a second of speech takes six.
    const samples = noise(16, { level: 0.0005 });
    const loud = noise(16, { seed: 9, level: 0.5 });
    for (let i = 16_000; i < samples.length; i++) if (i % 960 < 160) samples[i] = loud[i] ?? 0;
    const streamCase = { ...SEGMENTED, vad };
    const driven = new DrivenStream(harness(), { ...streamCase, budgetSeconds: (holdsMs(streamCase) + 100) / 1000 });
    await driven.send(encode("s16", samples));
    await driven.stop();
    expect(driven.ledgers[0]).toMatchObject({ decoded: 256_000, failed: 0 });
  });

  test("a full memory is waited for, and the stream goes on when another has ended", async () => {
    const here = harness(8);
    const first = new DrivenStream(here, { ...SIMPLE, budgetSeconds: 100 });
    first.stream.offer(zeros(3));
    expect(first.advance()).toBe(false);
    const second = new DrivenStream(here, { ...SIMPLE, budgetSeconds: 100 });
    second.stream.offer(zeros(1));
    expect(second.advance()).toBe(false);
    expect(here.arena.used).toBe(8);
    first.stream.abort({ code: "internal", message: "gone", reason: "error" }, 0);
    await here.runDeferred();
    await second.stop();
    expect(second.ledgers[0]).toMatchObject({ inferred: 16_000, failed: 0 });
    expect(here.arena.used).toBe(0);
  });

  test("the stream that holds the most is evicted when no job could free memory", async () => {
    const here = harness(8);
    const vad = { max_utterance_ms: 60_000 };
    const driven = new DrivenStream(here, { ...SEGMENTED, vad, budgetSeconds: 100 });
    driven.stream.offer(encode("s16", concat(noise(0.8), voice(10))));
    expect(driven.advance()).toBe(false);
    here.memory.check(0);
    here.memory.check(0);
    expect(driven.evicted).toBe(true);
  });
});

test("interims are sent only on request", async () => {
  const bytes = spoken(SEGMENTED, 1, [1.5]);
  for (const interimIntervalMs of [undefined, 200]) {
    const here = harness();
    const driven = new DrivenStream(
      here,
      interimIntervalMs === undefined ? SEGMENTED : { ...SEGMENTED, interimIntervalMs },
    );
    for (let at = 0; at < bytes.length; at += 3200) {
      await driven.send(bytes.slice(at, at + 3200));
      await here.answer(100);
    }
    await driven.stop();
    const interims = driven.events.filter((event) => event.type === "segment" && event.is_final === false);
    expect(interims.length > 0).toBe(interimIntervalMs !== undefined);
    expect(driven.ledgers[0]?.interims).toBe(interims.length);
  }
});

test("each warning about the audio is sent once, beside the results", async () => {
  const samples = Float32Array.from({ length: 4000 }, (_, i) =>
    i % 1000 === 0 ? 1.5 : i % 1000 === 1 ? Number.NaN : 0.1,
  );
  const driven = new DrivenStream(harness(), { ...SIMPLE, sampleFormat: "f32" });
  await driven.send(new Uint8Array(samples.buffer));
  await driven.stop();
  const warnings = driven.events.flatMap((event) => (event.type === "warning" ? [event.code] : []));
  expect(warnings.toSorted()).toEqual(["not_a_number", "out_of_range"]);
  expect(driven.ledgers[0]).toMatchObject({ inferred: 4000 });
});

test("a dropped final is reported as an internal fault", () => {
  const here = harness();
  const driven = new DrivenStream(here, SIMPLE);
  driven.stream.offer(zeros(0.1));
  driven.advance();
  here.model.waiting[0]?.settle({ status: "dropped" });
  expect(String(driven.faults[0])).toContain("was dropped");
});

test("a job carries the stream's trace, and the audio of its span", () => {
  const here = harness();
  const driven = new DrivenStream(here, SIMPLE);
  driven.stream.offer(zeros(0.25));
  driven.advance();
  expect(here.model.waiting.map(({ job }) => [job.kind, job.audio.length])).toEqual([
    ["final", 1600],
    ["final", 1600],
  ]);
  expect(here.model.waiting[0]?.job.traceparent).toStartWith("00-");
});
