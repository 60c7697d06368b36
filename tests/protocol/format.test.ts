import { expect, test } from "bun:test";

import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, SAMPLE_FORMAT_NAMES, SAMPLE_FORMATS } from "../../src/lib/sample-format.ts";
import { ProtocolError } from "../../src/protocol/errors.ts";
import { frameBytes, sampleFormat } from "../../src/protocol/format.ts";
import { parseRequest, type Start } from "../../src/protocol/requests.ts";

const S16 = { channels: 1, sample_rate: 16_000, bit_depth: 16, is_float: false };

function parsed(fields: object, maxChannels = 16) {
  const message = JSON.stringify({ request: "start", format: { ...S16, ...fields } });
  return (parseRequest(message, { maxChannels }) as Start).format;
}

function refusal(fields: object, maxChannels = 16) {
  try {
    parsed(fields, maxChannels);
  } catch (error) {
    if (error instanceof ProtocolError) return [error.code, error.param, error.message];
  }
  return [];
}

test("every sample format of the protocol is accepted and has its name and size", () => {
  for (const name of SAMPLE_FORMAT_NAMES) {
    const { bytes, ...fields } = SAMPLE_FORMATS[name];
    const format = parsed({ ...fields, channels: 3 });
    expect(sampleFormat(format)).toBe(name);
    expect(frameBytes(format)).toBe(3 * bytes);
  }
});

test("the encoding is PCM unless it is named", () => {
  expect(parsed({}).encoding).toBe("pcm");
  expect(parsed({ encoding: "pcm" })).toEqual(parsed({}));
});

test("depths that do not go with the encoding are unsupported, and the allowed ones are named, in order", () => {
  const layouts = Object.values(SAMPLE_FORMATS);
  for (const { is_float, encoding } of layouts) {
    const own = layouts.filter((layout) => layout.is_float === is_float && layout.encoding === encoding);
    const depths = own.map(({ bit_depth }) => bit_depth).sort((a, b) => a - b);
    for (const { bit_depth } of layouts.filter((layout) => !depths.some((depth) => depth === layout.bit_depth))) {
      const [code, param, message] = refusal({ bit_depth, is_float, encoding });
      expect([code, param]).toEqual(["unsupported_format", "format.bit_depth"]);
      expect(message).toEndWith(`; allowed: ${depths.join(", ").replace(/, (\d+)$/, " or $1")}`);
    }
  }
  expect(refusal({ bit_depth: 8, is_float: true })[2]).toStartWith("format.bit_depth: found 8 with is_float true; ");
  expect(refusal({ bit_depth: 8, encoding: "mulaw", is_float: true }).slice(0, 2)).toEqual([
    "unsupported_format",
    "format.is_float",
  ]);
});

test("a value of the right type that is not offered is unsupported_format", () => {
  for (const [param, value] of [
    ["channels", 0],
    ["channels", -1],
    ["channels", 1.5],
    ["channels", 17],
    ["sample_rate", MIN_SAMPLE_RATE - 1],
    ["sample_rate", MAX_SAMPLE_RATE + 1],
    ["sample_rate", 44_100.5],
    ["bit_depth", 12],
    ["encoding", "opus"],
  ] as const) {
    expect(refusal({ [param]: value }).slice(0, 2)).toEqual(["unsupported_format", `format.${param}`]);
  }
});

test("a value of the wrong type is invalid_request", () => {
  for (const [param, value] of [
    ["channels", "1"],
    ["sample_rate", true],
    ["bit_depth", "16"],
    ["is_float", 0],
    ["encoding", 1],
    ["channels", [1]],
  ] as const) {
    expect(refusal({ [param]: value }).slice(0, 2)).toEqual(["invalid_request", `format.${param}`]);
  }
});

test("sample rates are accepted up to both ends of their range", () => {
  for (const rate of [MIN_SAMPLE_RATE, 11_025, 44_100, 383_987, MAX_SAMPLE_RATE]) {
    expect(parsed({ sample_rate: rate }).sample_rate).toBe(rate);
  }
});

test("the server sets the most channels, and the message names its maximum", () => {
  expect(parsed({ channels: 16 }).channels).toBe(16);
  expect(parsed({ channels: 256 }, 256).channels).toBe(256);
  expect(refusal({ channels: 3 }, 2)[2]).toBe("format.channels: found 3; allowed: a whole number from 1 to 2");
});
