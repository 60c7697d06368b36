import { describe, expect, test } from "bun:test";

import type { Input, Message } from "../../../../src/dialects/dialect.ts";
import { TranscriptionDialect } from "../../../../src/dialects/openai/files/dialect.ts";
import { segmented } from "../../../../src/pipeline/segmented.ts";
import { ProtocolError } from "../../../../src/protocol/errors.ts";
import { wav } from "../../../support/audio.ts";

const FILE = wav({ channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false }, Buffer.alloc(3_200));
const HEAD = '{"file":"a.wav"}';
const field = (name: string, value: string): string => JSON.stringify({ field: name, value });

/** A dialect of a server with models of these options; with one model, any name is that one. */
function dialect(...models: readonly (readonly string[])[]): TranscriptionDialect {
  const offered = models.map((options, i) => ({ name: `m${i}`, keepsState: false, options }));
  const choose = (name = "m0") => {
    const model = offered.find((each) => each.name === name);
    if (model === undefined) throw new ProtocolError("invalid_request", `model: found ${name}`, { param: "model" });
    return { name, model, pattern: segmented };
  };
  const onlyModel = offered.length === 1 ? choose() : undefined;
  return new TranscriptionDialect({
    choose: (name) => choose(offered.length === 1 ? "m0" : name),
    onlyModel,
    maxChannels: 8,
    dialects: { untexted: "fields", extras: "off" },
  });
}

/** Where in a row of messages the stream starts: the number of messages before it, and what its start asks for. */
function startOf(of: TranscriptionDialect, messages: readonly Message[]) {
  for (const [at, message] of messages.entries()) {
    const start = of.read(message).find(isStart);
    if (start !== undefined) return { at, start };
  }
  const start = of.finished().find(isStart);
  return { at: messages.length, start };
}

function isStart(input: Input): boolean {
  return input.kind === "request" ? input.request.request === "start" : input.kind === "refused";
}

describe("a file is recognised while it comes", () => {
  test("when there is one model without options, whatever fields follow", () => {
    const { at, start } = startOf(dialect([]), [HEAD, FILE, field("model", "any"), field("language", "en")]);
    expect([at, start]).toMatchObject([1, { kind: "request", request: { model: "m0" } }]);
  });

  test("when the model has been named, and takes no option that has not", () => {
    const two = dialect(["language"], ["language", "prompt"]);
    const fields = [field("model", "m1"), field("prompt", "a"), field("language", "de")];
    const { at, start } = startOf(two, [...fields, HEAD, FILE]);
    expect([at, start]).toMatchObject([4, { request: { model: "m1", options: { prompt: "a", language: "de" } } }]);
  });

  test("from the field on that decides", () => {
    const messages = [HEAD, FILE.subarray(0, 100), FILE.subarray(100), field("model", "m0"), field("language", "de")];
    const { at, start } = startOf(dialect(["language"], []), messages);
    expect([at, start]).toMatchObject([4, { request: { options: { language: "de" } } }]);
  });
});

describe("a file is kept until the form ends", () => {
  test("while the model is not known, or may get an option", () => {
    for (const [models, fields] of [
      [[[], []], [field("language", "de")]],
      [[["language"]], [field("model", "any")]],
      [[["vocabulary"]], [field("model", "any"), field("keywords[]", "a")]],
    ] as const) {
      const messages = [HEAD, FILE, ...fields];
      expect(startOf(dialect(...models), messages)).toMatchObject({ at: messages.length, start: { kind: "request" } });
    }
  });

  test("and its stream may start at a shutdown, until it has started or is refused", () => {
    const kept = dialect(["language"]);
    kept.read(HEAD);
    expect(kept.awaitsStream()).toBeTrue();
    kept.read(field("response_format", "xml"));
    expect(kept.awaitsStream()).toBeFalse();
  });
});

test("a model that is not known is refused as soon as it is named", () => {
  expect(startOf(dialect([], []), [HEAD, field("model", "x"), FILE])).toMatchObject({
    at: 1,
    start: { kind: "refused" },
  });
});
