import { expect, test } from "bun:test";
import { join } from "node:path";

import {
  isSampleFormat,
  MAX_CHANNELS,
  MAX_SAMPLE_RATE,
  MIN_SAMPLE_RATE,
  SAMPLE_FORMAT_NAMES,
  SAMPLE_FORMATS,
} from "../../src/lib/sample-format.ts";

const header = await Bun.file(join(import.meta.dir, "../../native/streamer_audio.h")).text();

/** Constants of the C header by name, without the prefix SA_. */
const constants = new Map(
  [...header.matchAll(/^#define SA_(\w+) (\d+)u/gm)].map(([, name, value]) => [name, Number(value)]),
);

test("a format's place in the table is its number in the C header", () => {
  expect(SAMPLE_FORMAT_NAMES.map((name) => constants.get(`PCM_${name.toUpperCase()}`))).toEqual(
    SAMPLE_FORMAT_NAMES.map((_, index) => index),
  );
  expect(constants.get("PCM_FORMATS")).toBe(SAMPLE_FORMAT_NAMES.length);
});

test("the bounds are those of the C header", () => {
  expect(constants.get("MIN_RATE")).toBe(MIN_SAMPLE_RATE);
  expect(constants.get("MAX_RATE")).toBe(MAX_SAMPLE_RATE);
  expect(constants.get("MAX_CHANNELS")).toBe(MAX_CHANNELS);
});

test("no two formats have the same fields in a start", () => {
  const fields = Object.values(SAMPLE_FORMATS).map((layout) =>
    [layout.bit_depth, layout.is_float, layout.encoding].join(),
  );
  expect(new Set(fields).size).toBe(fields.length);
});

test("only names of the table are names of formats", () => {
  expect(SAMPLE_FORMAT_NAMES.every(isSampleFormat)).toBe(true);
  for (const name of ["s8", "S16", "", "constructor"]) expect(isSampleFormat(name)).toBe(false);
});
