import * as v from "valibot";

import { MAX_SAMPLE_RATE, MIN_SAMPLE_RATE } from "../../lib/sample-format.ts";
import { numberWithin, whole } from "../../protocol/field.ts";
import { about } from "../built-in/setting-schema.ts";
import { type Datatype, isDatatype, isElement } from "./tensor.ts";

/** Most URLs of engines. */
const MAX_URLS = 64;
const MAX_TEXT = 4_096;
const HOUR_MS = 3_600_000;
/** Most calls under way. */
export const MAX_CALLS = 1_024;

const URLS = `1 to ${MAX_URLS} different URLs such as http://host:8000, or dns+http://host:8000 for all addresses of a host`;
const BARE = "a URL without user, password, query and fragment; credentials stand in headers or token_file";
const INPUTS = "an object of { datatype, shape, data } by name";
const HEADERS = "an object of HTTP headers, texts by name, without those that belong to the connection";

const text = v.pipe(v.string("a text"), v.minLength(1, "a text"), v.maxLength(MAX_TEXT, "a text"));
const ms = (min: number, max: number, meaning: string) => v.pipe(whole(min, max), about("ms", meaning));
const texts = (meaning: string) =>
  v.pipe(v.record(text, text, `an object of ${meaning}`), v.minEntries(1, `an object of ${meaning}`));

/** Versions are mostly numbers, which YAML and the command line do not take for texts. */
const version = v.union([v.pipe(whole(0, Number.MAX_SAFE_INTEGER), v.transform(String)), text], "a text, or a number");

/** On the command line, and in the environment, URLs are separated by commas. */
const urls = v.pipe(
  v.union([v.string(), v.array(v.unknown())], URLS),
  v.transform((given): unknown => (typeof given === "string" ? given.split(",").map((url) => url.trim()) : given)),
  v.array(v.pipe(v.string(URLS), v.check(isEngineUrl, URLS), v.check(isBare, BARE)), URLS),
  v.minLength(1, URLS),
  v.maxLength(MAX_URLS, URLS),
  v.check((list) => new Set(list).size === list.length, URLS),
  about<string[]>("", "engines, such as http://host:8000; dns+http://host:8000 uses all addresses of the name"),
);

const constant = v.strictObject(
  {
    datatype: v.custom<Datatype>(isDatatype, "a type of the Open Inference Protocol, such as FP32"),
    shape: v.array(whole(0, 2 ** 31), "a list of whole numbers"),
    data: v.array(v.union([v.number(), v.string(), v.boolean()]), "a list of numbers or texts"),
  },
  "an object with datatype, shape and data",
);

const STATE = "an object with tensors ({INPUT: OUTPUT}), or with sequence: true";

/** Settings of remote models. */
export const remoteSettings = v.strictObject({
  urls,
  protocol: v.optional(
    v.pipe(
      v.picklist(["oip-http", "oip-grpc"], "oip-http, oip-grpc"),
      about("", "Open Inference Protocol over HTTP or gRPC"),
    ),
    "oip-http",
  ),
  model: v.pipe(text, about<string>("", "name of the model on the engines")),
  version: v.optional(v.pipe(version, about<string>("", "version of the model, if not the newest"))),
  sample_rate: v.optional(
    v.pipe(whole(MIN_SAMPLE_RATE, MAX_SAMPLE_RATE), about("Hz", "sample rate of the audio")),
    16_000,
  ),
  input: v.optional(v.pipe(text, about<string>("", "name of the input tensor with the audio")), "audio"),
  datatype: v.optional(
    v.pipe(
      v.picklist(["FP32", "FP16", "INT16"], "FP32, FP16, INT16"),
      about("", "type of the input tensor with the audio"),
    ),
    "FP32",
  ),
  rank: v.optional(v.pipe(whole(1, 3), about("", "dimensions of the audio: n, 1 x n or 1 x 1 x n")), 2),
  length_input: v.optional(v.pipe(text, about("", "input tensor with the number of samples"))),
  inputs: v.optional(v.pipe(v.record(text, constant, INPUTS), about("", "constant input tensors"))),
  options: v.optional(v.pipe(texts("input tensors by option"), about("", "input tensors by option of the client"))),
  output: v.optional(v.pipe(text, about("", "the one output tensor that is wanted"))),
  fields: v.optional(v.pipe(texts("output tensors by field"), about("", "output tensors by field of the result"))),
  encoding: v.optional(
    v.pipe(
      v.picklist(["auto", "binary", "json"], "auto, binary, json"),
      about("", "tensors over HTTP; auto: what each engine can read"),
    ),
    "auto",
  ),
  state: v.optional(
    v.pipe(
      v.strictObject(
        {
          tensors: v.optional(texts("output tensors by input tensor")),
          sequence: v.optional(v.boolean("true or false")),
        },
        STATE,
      ),
      about("", "state of a stream: tensors that are sent back, or the sequence of the engine"),
    ),
  ),
  concurrency: v.optional(v.pipe(whole(1, MAX_CALLS), about("calls", "most calls under way for each URL")), 16),
  timeout_ms: v.optional(ms(1, HOUR_MS, "longest time for a call, retries included"), 10_000),
  connect_timeout_ms: v.optional(ms(1, HOUR_MS, "longest time for a connection"), 1_000),
  retries: v.optional(v.pipe(whole(0, 10), about("", "most retries of a final call")), 1),
  retry_budget: v.optional(v.pipe(numberWithin(0, 1), about("", "retries for each call, on average")), 0.1),
  breaker_failures: v.optional(
    v.pipe(whole(1, 1_000), about("", "failures in a row that take an engine out of service")),
    5,
  ),
  breaker_open_ms: v.optional(ms(1, 30_000, "time out of service at first; doubles up to 30 s"), 1_000),
  health_ms: v.optional(ms(0, HOUR_MS, "time between checks of each engine; 0: none"), 5_000),
  resolve_s: v.optional(v.pipe(numberWithin(1, 3_600), about("s", "time between look-ups of dns+ URLs")), 30),
  headers: v.optional(
    v.pipe(
      v.record(v.string(), v.string(), HEADERS),
      v.check(areHeaders, HEADERS),
      about("", "headers of each request"),
    ),
  ),
  token_file: v.optional(v.pipe(text, about("", "file with a bearer token for the engines"))),
  tls_ca: v.optional(v.pipe(text, about("", "file with authorities for certificates of engines, PEM"))),
  tls_cert: v.optional(v.pipe(text, about("", "file with a certificate to show, PEM"))),
  tls_key: v.optional(v.pipe(text, about("", "file with its private key, PEM"))),
  proxy: v.optional(
    v.pipe(
      v.string(),
      v.check(isHttpUrl, "a URL such as http://proxy:3128"),
      about("", "proxy for oip-http; none of the environment is used"),
    ),
  ),
  max_answer_bytes: v.optional(v.pipe(whole(1_024, 1_073_741_824), about("bytes", "largest answer")), 16_777_216),
});

export type RemoteSettings = v.InferOutput<typeof remoteSettings>;

/** Returns a sentence for each contradiction between settings that are valid on their own. */
export function findContradictions(settings: RemoteSettings): string[] {
  const { state, tls_cert: cert, tls_key: key, token_file: tokenFile, proxy, protocol } = settings;
  const problems: string[] = [];
  const calls = concurrencyOf(settings);
  if (calls > MAX_CALLS) {
    problems.push(
      `concurrency: found ${settings.concurrency} for ${settings.urls.length} URLs; allowed: ${MAX_CALLS} together`,
    );
  }
  if (state !== undefined && (state.tensors === undefined) === (state.sequence !== true)) {
    problems.push(`state: found ${state.tensors === undefined ? "neither" : "both"}; allowed: ${STATE}`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    const [given, other] = cert === undefined ? ["tls_key", "tls_cert"] : ["tls_cert", "tls_key"];
    problems.push(`${given}: found without ${other}; allowed: both or neither`);
  }
  const hasAuthorization = Object.keys(settings.headers ?? {}).some((name) => /^authorization$/i.test(name));
  if (tokenFile !== undefined && hasAuthorization) {
    problems.push("token_file: found with a header authorization; allowed: one of them");
  }
  if (settings.output !== undefined && settings.fields !== undefined) {
    problems.push("output: found with fields; allowed: one of them");
  }
  if (proxy !== undefined && protocol === "oip-grpc")
    problems.push("proxy: found with oip-grpc; allowed: with oip-http");
  const withPath = protocol === "oip-grpc" ? settings.urls.find(hasPath) : undefined;
  if (withPath !== undefined) problems.push(`urls: found ${withPath} with oip-grpc; allowed: URLs without a path`);
  return [...problems, ...Object.entries(settings.inputs ?? {}).flatMap(([name, input]) => findMisfits(name, input))];
}

/** Returns a sentence if a constant does not have the elements that its shape and its type say. */
function findMisfits(name: string, { datatype, shape, data }: v.InferOutput<typeof constant>): string[] {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (data.length !== elements)
    return [`inputs.${name}: found ${data.length} elements; allowed: ${elements}, by its shape`];
  return data.every((value) => isElement(value, datatype))
    ? []
    : [`inputs.${name}: found elements of another type; allowed: ${datatype}`];
}

/** Returns the calls that all engines together have under way. */
export function concurrencyOf({ concurrency, urls: list }: RemoteSettings): number {
  return concurrency * list.length;
}

function isEngineUrl(url: string): boolean {
  return isHttpUrl(url.replace(/^dns\+/, ""));
}

/** Nothing follows the path, and there is no user information, which would be shown in logs. */
function isBare(url: string): boolean {
  const parsed = URL.parse(url.replace(/^dns\+/, ""));
  if (parsed === null) return true;
  return parsed.username === "" && parsed.password === "" && parsed.search === "" && parsed.hash === "";
}

function hasPath(url: string): boolean {
  return !/^\/*$/.test(URL.parse(url.replace(/^dns\+/, ""))?.pathname ?? "");
}

function isHttpUrl(url: string): boolean {
  return /^https?:$/.test(URL.parse(url)?.protocol ?? "");
}

const CONNECTION_HEADERS =
  /^(?:host|connection|content-length|content-type|transfer-encoding|accept-encoding|upgrade)$/i;

function areHeaders(headers: Readonly<Record<string, string>>): boolean {
  try {
    new Headers(headers);
  } catch {
    return false;
  }
  return !Object.keys(headers).some((name) => CONNECTION_HEADERS.test(name));
}
