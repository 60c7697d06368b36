import { expect, test } from "bun:test";

import { engineWords } from "../../../src/model/remote/engine-words.ts";

test("of a traceback of Python, only the reason is kept", () => {
  const text = 'Traceback (most recent call last):\n  File "/srv/model.py", line 7, in predict\nValueError: no audio\n';
  expect(engineWords(text)).toBe("ValueError: no audio");
});

test("the places in the files of a model that Triton appends are left out", () => {
  const text =
    "Failed to process the request(s), message: ValueError: no audio\n\nAt:\n  /models/1/model.py(22): answer\n";
  expect(engineWords(text)).toBe("Failed to process the request(s), message: ValueError: no audio");
});

test("other words stay as they are, up to 200 characters", () => {
  expect(engineWords("arrived At: noon")).toBe("arrived At: noon");
  expect(engineWords("x".repeat(500))).toBe(`${"x".repeat(200)}…`);
  expect(engineWords(" ")).toBe("");
});
