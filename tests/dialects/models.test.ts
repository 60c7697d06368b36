import { describe, expect, test } from "bun:test";

import type { OfferedModel } from "../../src/dialects/dialect.ts";
import { chooseModel, optionsFor } from "../../src/dialects/models.ts";
import { configure } from "../support/in-process-server.ts";

const WHISPER: OfferedModel = { name: "whisper", alias: "whisper-file", keepsState: false, options: ["language"] };
const CACHED: OfferedModel = { name: "cached", keepsState: true };
const PINNED: OfferedModel = { name: "pinned", keepsState: true, pinned: { stepMs: 100 } };
const MODELS = [WHISPER, CACHED, PINNED];

function chosen(asked: string | undefined, settings = {}, models: readonly OfferedModel[] = MODELS) {
  const { name, model, pattern } = chooseModel(asked, models, configure(settings).dialects);
  return [name, model?.name, pattern.name];
}

describe("the model of a client of another service", () => {
  test("is the one that it names, if there is such a one here", () => {
    expect(chosen("cached")).toEqual(["cached", "cached", "stateful"]);
    expect(chosen("whisper-file")).toEqual(["whisper", "whisper", "segmented"]);
  });

  test("is the one that dialects.models has for the name", () => {
    const settings = { "dialects.models": "nova-3=cached,enhanced=gone" };
    expect(chosen("nova-3", settings)).toEqual(["cached", "cached", "stateful"]);
    expect(chosen("enhanced", settings)).toEqual([undefined, "whisper", "segmented"]);
  });

  test("is the default for any other name, or none", () => {
    expect(chosen("nova-3")).toEqual([undefined, "whisper", "segmented"]);
    expect(chosen(undefined)).toEqual([undefined, "whisper", "segmented"]);
    expect(chosen(undefined, {}, [])).toEqual([undefined, undefined, "segmented"]);
  });

  test("must be known with dialects.strict_models", () => {
    const settings = { "dialects.strict_models": "on", "dialects.models": "nova-3=cached" };
    expect(() => chosen("nova-2", settings)).toThrow('model: found "nova-2"; allowed: whisper, cached, pinned');
    expect(chosen("nova-3", settings)).toEqual(["cached", "cached", "stateful"]);
    expect(chosen(undefined, settings)).toEqual([undefined, "whisper", "segmented"]);
  });

  test("is given utterances if it can take them, else blocks in turn", () => {
    expect(chosen("pinned")).toEqual(["pinned", "pinned", "segmented"]);
  });
});

test("a model gets only the options that it declares", () => {
  const options = { language: "en", vocabulary: ["Streamer"], prompt: undefined };
  expect(optionsFor(WHISPER, options)).toEqual({ language: "en" });
  expect(optionsFor(WHISPER, { vocabulary: ["Streamer"] })).toBeUndefined();
  expect(optionsFor(CACHED, options)).toBeUndefined();
  expect(optionsFor(undefined, options)).toBeUndefined();
});
