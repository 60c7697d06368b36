import { expect, test } from "bun:test";

import { setField, startFields } from "../../../src/commands/send/start-fields.ts";
import { UsageError } from "../../../src/commands/terminal/exit-codes.ts";
import { FORMAT } from "../../support/wire.ts";

function fieldsOf(...assignments: string[]): Record<string, unknown> {
  const fields = {};
  for (const assignment of assignments) setField(fields, assignment);
  return fields;
}

test("an assignment sets any field, nested ones by their path", () => {
  expect(
    fieldsOf("vad.min_silence_ms=300", "vad.threshold_db=12.5", "options.deep.words=[1,2]", "interim_interval_ms=200"),
  ).toEqual({
    vad: { min_silence_ms: 300, threshold_db: 12.5 },
    options: { deep: { words: [1, 2] } },
    interim_interval_ms: 200,
  });
});

test("a value that is JSON is parsed, any other is text", () => {
  expect(fieldsOf("timing=true", "options.language=en", "options.note=a=b c", "options.size=7")).toEqual({
    timing: true,
    options: { language: "en", note: "a=b c", size: 7 },
  });
});

test("the fields that are text stay text", () => {
  expect(fieldsOf("model=7", "trace_id=1")).toEqual({ model: "7", trace_id: "1" });
});

test.each([
  [["vad"], '--set: found "vad"; allowed: key=value'],
  [["vad..x=1"], "allowed: key=value"],
  [["=1"], "allowed: key=value"],
  [["__proto__.x=1"], "allowed: key=value"],
  [["format.channels=2"], "allowed: any field but request and format"],
  [["vad=3", "vad.threshold_db=3"], "vad already has a value"],
])("the assignments %p are refused", (assignments, text) => {
  expect(() => fieldsOf(...assignments)).toThrow(UsageError);
  expect(() => fieldsOf(...assignments)).toThrow(text);
});

test("a start that no server would accept is refused, with the origin of the fault", () => {
  const start = (format: object, ...assignments: string[]) =>
    startFields(fieldsOf(...assignments), { ...FORMAT, ...format }, "a.wav");
  expect(() => start({}, "vad.min_silense_ms=300")).toThrow('did you mean "vad.min_silence_ms"');
  expect(() => start({}, "vad.min_silence_ms=3")).toThrow("--set: vad.min_silence_ms: found 3");
  expect(() => start({ sample_rate: 1000 })).toThrow("a.wav: format.sample_rate: found 1000");
  expect(start({}, "interim_results=true")).toEqual({ interim_results: true, format: FORMAT });
});
