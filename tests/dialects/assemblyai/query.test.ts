import { describe, expect, test } from "bun:test";

import { readAsked } from "../../../src/dialects/assemblyai/query.ts";
import { S16_MONO } from "../../support/requests.ts";

const read = (query: string) => readAsked(new URLSearchParams(query));

describe("the query of a client of AssemblyAI", () => {
  test("names the format as that service does, 16 bit where it says nothing", () => {
    expect(read("sample_rate=16000").format).toMatchObject(S16_MONO);
    expect(read("sample_rate=16000&encoding=pcm_s16le").format).toMatchObject(S16_MONO);
    const telephony = { sample_rate: 8_000, bit_depth: 8, encoding: "mulaw" };
    expect(read("encoding=pcm_mulaw").format).toMatchObject(telephony);
    expect(read("encoding=pcm_mulaw&sample_rate=16000").format).toMatchObject({ ...telephony, sample_rate: 16_000 });
  });

  test("has partial turns unless it wants none, and formatted turns only if it wants them", () => {
    expect(read("sample_rate=16000")).toMatchObject({ interims: true, formatTurns: false });
    expect(read("sample_rate=16000&include_partial_turns=False&format_turns=True")).toMatchObject({
      interims: false,
      formatTurns: true,
    });
  });

  test("has the silence that ends a turn under its name and its earlier one", () => {
    const earlier = "sample_rate=16000&min_end_of_turn_silence_when_confident=400";
    expect([read(earlier).silenceMs, read(`${earlier}&min_turn_silence=160`).silenceMs]).toEqual([400, 160]);
  });

  test("has lists as JSON; of several languages none is chosen", () => {
    const asked = read('sample_rate=16000&language_codes=["fr"]&keyterms_prompt=["Streamer", "Bun"]&prompt=a call');
    expect(asked).toMatchObject({ language: "fr", vocabulary: ["Streamer", "Bun"], prompt: "a call" });
    expect(read('sample_rate=16000&language_code=es&language_codes=["en","es"]').language).toBeUndefined();
    expect(read("sample_rate=16000&language_code=es&keyterms_prompt=[]")).toMatchObject({
      language: "es",
      vocabulary: undefined,
    });
  });

  test("may have parameters that are not known", () => {
    const query = "sample_rate=16000&mode=balanced&vad_threshold=0.4&__proto__=1&speech_model=universal-3-6-pro";
    expect(read(query)).toMatchObject({ model: "universal-3-6-pro" });
  });

  test.each([
    ["sample_rate=16000&encoding=opus", 'encoding: found "opus"; allowed: one of pcm_s16le, pcm_mulaw'],
    ["encoding=pcm_s16le", "sample_rate: found nothing; allowed: a whole number from 4000 to 384000"],
    ["sample_rate=0", "sample_rate: found 0; allowed: a whole number from 4000 to 384000"],
    ["sample_rate=16000&format_turns=1", 'format_turns: found "1"; allowed: true or false'],
    ["sample_rate=16000&min_turn_silence=0.5", 'min_turn_silence: found "0.5"; allowed: a whole number'],
    ["sample_rate=16000&keyterms_prompt=Bun", 'keyterms_prompt: found "Bun"; allowed: a JSON array of texts'],
    ["sample_rate=16000&language_codes=[1]", 'language_codes: found "[1]"; allowed: a JSON array of texts'],
  ])("is refused for %s, with what is allowed", (query, message) => {
    expect(() => read(query)).toThrow(message);
  });
});
