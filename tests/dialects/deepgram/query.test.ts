import { describe, expect, test } from "bun:test";

import { readListen } from "../../../src/dialects/deepgram/query.ts";

const read = (query: string) => readListen(new URLSearchParams(query), 4);
const S16 = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false, encoding: "pcm" };

describe("the query of a client of Deepgram", () => {
  test("names the format as that service does", () => {
    expect(read("encoding=linear16&sample_rate=16000").format).toEqual(S16 as never);
    expect(read("encoding=linear32&sample_rate=48000&channels=2").format).toMatchObject({
      bit_depth: 32,
      is_float: true,
    });
    for (const encoding of ["mulaw", "alaw"]) {
      expect(read(`encoding=${encoding}`).format).toMatchObject({ sample_rate: 8_000, bit_depth: 8, encoding });
    }
    expect(read("sample_rate=16000").format).toBeUndefined();
  });

  test("has truth values in any case of letters", () => {
    expect(read("vad_events=true&interim_results=True")).toMatchObject({ speechEvents: true, interims: true });
    expect(read("vad_events=FALSE&interim_results=")).toMatchObject({ speechEvents: false, interims: false });
    expect([read("endpointing=False").endpointing, read("endpointing=25").endpointing]).toEqual([false, 25]);
  });

  test("has words that are likely as repeated names, with boosts or without", () => {
    const { vocabulary } = read("keyterm=Streamer&keyterm=Bun&keywords=snuffle:1.5&keywords=a:b:-2");
    expect(vocabulary).toEqual(["Streamer", "Bun", "snuffle", "a:b"]);
    expect(read("keyterm=").vocabulary).toBeUndefined();
  });

  test("may have parameters that are not known", () => {
    expect(read("punctuate=true&smart_format=1&__proto__=1&constructor=1&model=nova-3&language=en")).toMatchObject({
      model: "nova-3",
      language: "en",
    });
  });

  test.each([
    ["encoding=opus", 'encoding: found "opus"; allowed: one of linear16, linear32, mulaw, alaw, or none'],
    ["encoding=linear16", "sample_rate: found nothing; allowed: with encoding linear16 a whole number from 4000"],
    ["encoding=linear16&sample_rate=1", "sample_rate: found 1; allowed: a whole number from 4000 to 384000"],
    ["encoding=linear16&sample_rate=16e3", 'sample_rate: found "16e3"; allowed: a whole number'],
    ["channels=5", "channels: found 5; allowed: a whole number from 1 to 4"],
    ["vad_events=1", 'vad_events: found "1"; allowed: true or false'],
    ["endpointing=-1", 'endpointing: found "-1"; allowed: true, false, or a whole number of milliseconds'],
    ["utterance_end_ms=999", "utterance_end_ms: found 999; allowed: a whole number from 1000 to 5000"],
  ])("is refused for %s, with what is allowed", (query, message) => {
    expect(() => read(query)).toThrow(message);
  });
});
