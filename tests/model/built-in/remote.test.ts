import { describe, expect, test } from "bun:test";

import * as v from "valibot";

import { remote } from "../../../src/model/built-in/remote.ts";
import { concurrentRequests, defaultWorkers } from "../../../src/model/models.ts";
import { fieldValue } from "../../../src/model/module-fields.ts";
import { remoteSettings } from "../../../src/model/remote/settings.ts";
import { resolveSettings } from "../../../src/model/settings.ts";

const needed = { urls: ["http://a:8000"], model: "asr" };
const problemsOf = (settings: Record<string, unknown>) => resolveSettings(remote, { ...needed, ...settings }).problems;
const URLS = "1 to 64 different URLs such as http://host:8000, or dns+http://host:8000 for all addresses of a host";
const BARE = "a URL without user, password, query and fragment; credentials stand in headers or token_file";

describe("the settings of a remote model", () => {
  test("need the URLs of engines, and the name of the model there", () => {
    expect(resolveSettings(remote, {}).problems).toEqual([
      `urls: found nothing; allowed: ${URLS}`,
      "model: found nothing; allowed: a text",
    ]);
    expect(problemsOf({})).toEqual([]);
  });

  test("may have URLs as a text with commas, as on the command line", () => {
    const urls = "http://a:8000, dns+http://b:8000,https://c/base";
    expect(problemsOf({ urls })).toEqual([]);
    expect(concurrentRequests("remote", { ...needed, urls })).toBe(51);
  });

  test.each([
    [{ urls: ["http://a", "ftp://b"] }, `urls.1: found "ftp://b"; allowed: ${URLS}`],
    [{ urls: [] }, `urls: found an array; allowed: ${URLS}`],
    [{ urls: "http://user:pass@a" }, `urls.0: found "http://[redacted]@a"; allowed: ${BARE}`],
    [{ urls: "dns+http://a:8000/?x=1" }, `urls.0: found "dns+http://a:8000/?x=1"; allowed: ${BARE}`],
    [{ protocol: "grpc" }, 'protocol: found "grpc"; allowed: oip-http, oip-grpc'],
    [{ rank: 4 }, "rank: found 4; allowed: a whole number from 1 to 3"],
    [{ retry_budget: 2 }, "retry_budget: found 2; allowed: a number from 0 to 1"],
    [{ url: "http://a" }, 'unknown setting "url"; did you mean "urls"?'],
    [{ fields: { text: 1 } }, "fields.text: found 1; allowed: a text"],
    [
      { state: { tensor: {} } },
      'unknown setting "state.tensor"; allowed: an object with tensors ({INPUT: OUTPUT}), or with sequence: true',
    ],
    [{ state: {} }, "state: found neither; allowed: an object with tensors ({INPUT: OUTPUT}), or with sequence: true"],
    [
      { state: { tensors: { a: "b" }, sequence: true } },
      "state: found both; allowed: an object with tensors ({INPUT: OUTPUT}), or with sequence: true",
    ],
    [
      { inputs: { sr: { datatype: "INT65", shape: [1], data: [1] } } },
      'inputs.sr.datatype: found "INT65"; allowed: a type of the Open Inference Protocol, such as FP32',
    ],
    [
      { inputs: { sr: { datatype: "INT64", shape: [2], data: [1] } } },
      "inputs.sr: found 1 elements; allowed: 2, by its shape",
    ],
    [
      { inputs: { sr: { datatype: "INT64", shape: [1], data: [1.5] } } },
      "inputs.sr: found elements of another type; allowed: INT64",
    ],
    [{ output: "a", fields: { a: "a" } }, "output: found with fields; allowed: one of them"],
    [{ tls_cert: "c.pem" }, "tls_cert: found without tls_key; allowed: both or neither"],
    [
      { token_file: "t", headers: { Authorization: "x" } },
      "token_file: found with a header authorization; allowed: one of them",
    ],
    [{ protocol: "oip-grpc", proxy: "http://p" }, "proxy: found with oip-grpc; allowed: with oip-http"],
    [
      { protocol: "oip-grpc", urls: "http://a:8001/,dns+http://b:8001/engine" },
      "urls: found dns+http://b:8001/engine with oip-grpc; allowed: URLs without a path",
    ],
    [{ concurrency: 600, urls: "http://a,http://b" }, "concurrency: found 600 for 2 URLs; allowed: 1024 together"],
    [
      { headers: { host: "x" } },
      "headers: found an object; allowed: an object of HTTP headers, texts by name, without those that belong to the connection",
    ],
  ])("are refused by name: %j", (settings, problem) => {
    expect(problemsOf(settings)).toEqual([problem]);
  });

  test("may have a number as the version, which the command line and YAML make of 2", () => {
    expect([2, "2", "v2"].map((version) => problemsOf({ version }))).toEqual([[], [], []]);
    expect(v.parse(remoteSettings, { ...needed, version: 2 }).version).toBe("2");
    expect(problemsOf({ version: 1.5 })).toEqual(["version: found 1.5; allowed: a text, or a number"]);
  });

  test("never show a secret", () => {
    expect(problemsOf({ headers: { authorization: "Bearer\nsecret" } }).join()).not.toContain("secret");
  });
});

test("a remote model takes the options that are inputs of the engine, and no others", () => {
  const optionsOf = (settings: object) =>
    fieldValue(remote, "options", resolveSettings(remote, { ...needed, ...settings }).settings);
  expect(optionsOf({})).toEqual([]);
  expect(optionsOf({ options: { language: "LANGUAGE" } })).toEqual(["language"]);
});

test("a field that depends on the settings is checked like one that does not", () => {
  const model = { sampleRate: () => 1, concurrency: 4 };
  expect(fieldValue(model, "concurrency", {})).toBe(4);
  expect(fieldValue(model, "options", {})).toBeUndefined();
  expect(() => fieldValue(model, "sampleRate", {})).toThrow(
    "sampleRate: found 1; allowed: an integer from 4000 to 384000",
  );
});

test("a remote model has one worker, which has calls of all engines under way, at the sample rate that is configured", () => {
  const { settings } = resolveSettings(remote, { ...needed, urls: "http://a,http://b", sample_rate: 8_000 });
  expect([defaultWorkers("remote"), defaultWorkers("levels")]).toEqual([1, undefined]);
  expect(fieldValue(remote, "concurrency", settings)).toBe(32);
  expect(fieldValue(remote, "sampleRate", settings)).toBe(8_000);
});
