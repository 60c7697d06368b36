// The JSON Schema of configuration files accepts what the server accepts, setting by setting. It cannot say what depends
// on several settings, on files or on the machine.

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Draft7 from "ajv";
import Draft2020 from "ajv/dist/2020";
import fc from "fast-check";

import { ConfigError, loadConfig, MODEL_SETTINGS, SETTINGS } from "../../src/config/config.ts";
import { configSchema } from "../../src/config/json-schema.ts";
import { Resolution } from "../../src/config/resolution.ts";
import type { Setting } from "../../src/config/setting.ts";
import { readSources } from "../../src/config/sources.ts";
import { BUILT_IN, builtInModels, validateModelSettings } from "../../src/model/models.ts";
import { ownSettings } from "../../src/model/own-settings.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const folder = mkdtempSync(join(tmpdir(), "streamer-schema-"));
afterAll(() => rmSync(folder, { recursive: true }));

const schema = JSON.parse(JSON.stringify(configSchema("0.0.0"))) as Record<string, unknown>;
// Both read the same document: the keywords must mean the same in the draft that editors implement.
const options = { strict: false, allErrors: false } as const;
const { $schema: _, ...draft7Schema } = schema;
const validators = [new Draft2020(options).compile(schema), new Draft7(options).compile(draft7Schema)];

const schemaAccepts = (config: unknown): boolean => {
  const verdicts = validators.map((validate) => validate(config));
  expect(new Set(verdicts).size).toBe(1);
  return verdicts[0] === true;
};

/** Problems that a schema cannot state: with files, and between settings. */
const BEYOND = [
  /there is no such file|it is not a file|allowed: (?:both or neither|one of them|with oip-http)/,
  /allowed: at most \S+, which is|server\.admin_only: found routes without|which other machines can reach/,
  /is already the name of the default model|allowed for a \.py file|allowed: a port of its own/,
  /allowed, together with|\(limits\.channel_budget_seconds is/,
];

/** The server's verdict about each setting by itself. All of these languages have JSON as a part. */
async function serverAccepts(config: unknown, extension = "json"): Promise<boolean> {
  const file = join(folder, `config.${extension}`);
  await Bun.write(file, JSON.stringify(config));
  try {
    loadConfig({ file, validateModelSettings });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.every((problem) => BEYOND.some((pattern) => pattern.test(problem)));
  }
  return true;
}

/** The same without what loadConfig does beside, which takes longer. */
async function resolves(config: unknown): Promise<boolean> {
  const file = join(folder, "setting.json");
  await Bun.write(file, JSON.stringify(config));
  const resolution = new Resolution();
  for (const given of readSources({ file }, resolution.problems)) resolution.add(given);
  const own = validateModelSettings(String(resolution.value("model.name")), resolution.ownSettings("model"));
  return [...resolution.problems, ...own].every((problem) => BEYOND.some((pattern) => pattern.test(problem)));
}

const ODD: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  7,
  1e300,
  "",
  "auto",
  "AUTO",
  "on",
  "OFF",
  "True",
  "warn",
  "5",
  " x",
  "a\nb",
  "x".repeat(4096),
  "x".repeat(4097),
  [],
  [""],
  ["x"],
  [1],
  [null],
  ["/"],
  {},
  { a: 1 },
];

/** Values around what a setting accepts. */
function around(setting: Setting): unknown[] {
  if ("min" in setting) {
    const { min, max } = setting;
    return [min, max, min - 1, max + 1, min + 0.5, (min + max) / 2, Math.ceil((min + max) / 2), String(min)];
  }
  const texts = ["items" in setting ? (setting.items.choices ?? []) : (setting.choices ?? [])].flat();
  const spelled = texts.flatMap((text) => [text, text.toUpperCase(), ` ${text}`, `${text}x`]);
  if (!("items" in setting)) return [setting.default, ...spelled, ...TEXTS];
  return [setting.default, ...[...spelled, ...TEXTS].map((text) => [text]), Array.from({ length: 1001 }, () => "en")];
}

const TEXTS = [
  ...["/metrics", "/api/v1/", "//", "metrics", "/a b", "127.0.0.1:9090", "[::1]:9090", "[1]:1", "h:65535", "h:65536"],
  ...["h:99999", "unix:/run/x", "unix:", `unix:${"x".repeat(108)}`, "none", "10.0.0.0/8", "2001:db8::/32", "::1"],
  ...["*", "*.example", "example.com", "https://*.example", "null", "en", "pt-BR", "e", "a=b", "a=b=c", "=b", "[::]"],
];

const settings: readonly (readonly [key: string, setting: Setting])[] = [
  ...Object.entries(SETTINGS).flatMap(([section, table]) => {
    return Object.entries(table).map(([key, setting]): [string, Setting] => [`${section}.${key}`, setting]);
  }),
  ...Object.entries(MODEL_SETTINGS).map(([key, setting]): [string, Setting] => [`model.${key}`, setting]),
];

const nest = (key: string, value: unknown): unknown =>
  key.split(".").reduceRight<unknown>((inner, part) => ({ [part]: inner }), value);

/** True: the server may refuse what the schema accepts, because its pattern says less than the parser. */
function isLoose(setting: Setting): boolean {
  const format = "items" in setting ? setting.items : "format" in setting ? setting.format : undefined;
  return format?.isExact === false;
}

describe("the schema", () => {
  test("accepts a value of a setting if and only if the server does", async () => {
    const wrong: string[] = [];
    for (const [key, setting] of settings) {
      for (const value of [...around(setting), ...ODD]) {
        const config = nest(key, value);
        const [given, expected] = [schemaAccepts(config), await resolves(config)];
        if (given !== expected && !(given && isLoose(setting))) {
          wrong.push(`${key}=${JSON.stringify(value)?.slice(0, 60)}: schema ${given}, server ${expected}`);
        }
      }
    }
    expect(settings.length).toBeGreaterThan(80);
    expect(wrong).toEqual([]);
  });

  test("accepts random configurations of several settings if and only if the server does", async () => {
    const exact = settings.filter(([, setting]) => !isLoose(setting));
    const one = fc.constantFrom(...exact).chain(([key, setting]) => {
      const value = fc.oneof(
        { weight: 6, arbitrary: fc.constantFrom(...around(setting)) },
        { weight: 1, arbitrary: fc.constantFrom(...ODD) },
        { weight: 2, arbitrary: "min" in setting ? fc.double({ noNaN: true, noDefaultInfinity: true }) : fc.string() },
      );
      return fc.tuple(fc.constant(key), value);
    });
    const property = fc.asyncProperty(
      fc.array(one, { maxLength: 6 }),
      fc.constantFrom("json", "json5", "yaml"),
      async (pairs, extension) => {
        const config = {};
        for (const [key, value] of pairs) put(config, key.split("."), value);
        expect({ accepted: schemaAccepts(config) }).toEqual({ accepted: await serverAccepts(config, extension) });
      },
    );
    await fc.assert(property, { numRuns: 300 });
  });

  test("refuses no host, origin, network or address that the server accepts", () => {
    const formats = new Map(
      settings.flatMap(([, setting]) => {
        const format = "items" in setting ? setting.items : "format" in setting ? setting.format : undefined;
        return format === undefined ? [] : [[format.allowed, format]];
      }),
    );
    const character = fc.constantFrom(..."aZ09.:/[]*-_%@#?= üß\\\n");
    const plain = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6(), fc.ipV4Extended(), fc.string({ unit: character }));
    const text = fc.oneof(
      plain,
      fc
        .tuple(
          fc.constantFrom("", "*.", "[", "https://", "http://*.", "unix:", "HTTP://["),
          plain,
          fc.constantFrom("", "]", "/", "/8", ":80", "]:80", "%eth0"),
        )
        .map((parts) => parts.join("")),
    );
    let accepted = 0;
    fc.assert(
      fc.property(text, (given) => {
        for (const { accepts, pattern, isExact } of formats.values()) {
          // A schema is about the text as it is written; the server spells it first.
          const matches = new RegExp(pattern, "u").test(given);
          if (accepts(given)) accepted += 1;
          if (accepts(given)) expect({ given, pattern, matches }).toEqual({ given, pattern, matches: true });
          else if (isExact && matches) expect(spellings(given).some((spelled) => accepts(spelled))).toBe(true);
        }
      }),
      { numRuns: 5_000 },
    );
    expect(accepted).toBeGreaterThan(1_000);
  });

  test("has only regular expressions that validators in other languages read, too", () => {
    const patterns = [...JSON.stringify(schema).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(([, text = ""]) => {
      return JSON.parse(text) as string;
    });
    expect(patterns.length).toBeGreaterThan(20);
    expect(patterns.filter((pattern) => /\(\?(?!:)|\\[uk\d]/.test(pattern))).toEqual([]);
  });

  test.each([...BUILT_IN.keys()])("knows the settings of the model %s", async (name) => {
    const needed = name === "remote" ? { urls: ["http://127.0.0.1:8000"], model: "m" } : {};
    const wrong: string[] = [];
    const loose = new Set(["urls", "proxy", "headers", "inputs", "state"]);
    for (const [key, { schema: own }] of Object.entries(ownSettings(name) ?? {})) {
      const { minimum = 0, maximum = 1, enum: choices = [] } = own;
      const values = [minimum, maximum, minimum - 1, maximum + 1, minimum + 0.5, ...choices, ...ODD, ["a"], { b: "c" }];
      for (const value of values) {
        for (const config of [
          { model: { name, ...needed, [key]: value } },
          { models: { [name]: { ...needed, [key]: value } } },
          { models: { other: { name, ...needed, [key]: value } } },
        ]) {
          const [given, expected] = [schemaAccepts(config), await serverAccepts(config)];
          if (given !== expected && !(given && loose.has(key))) {
            wrong.push(`${JSON.stringify(config).slice(0, 90)}: schema ${given}, server ${expected}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test("says what the server says about names, models, variables and whole files", async () => {
    const file = join(import.meta.dir, "..", "support", "models", "reporting.ts");
    const configs: readonly unknown[] = [
      ...[null, {}, [], "x", 5, { $schema: "./streamer.schema.json" }, { $schema: 5 }, { $schema: null }],
      ...[{ serve: {} }, { server: { prt: 1 } }, { server: [] }, { server: null }, { limits: { admission: null } }],
      ...[{ limits: { admission: { load: 1, x: 1 } } }, { model: null }, { model: [] }, { model: { "": 1 } }],
      ...[{ model: { name: "simulatd" } }, { model: { name: "simulated", dely: 1 } }, { model: { delay: "1" } }],
      ...[{ model: { name: file, anything: { at: ["all"] } } }, { model: { name: file, a: { "": 1 } } }],
      ...[{ model: { name: "remote" } }, { model: { name: "remote", model: "m" } }, { model: { name: "./no.py" } }],
      ...[{ models: {} }, { models: null }, { models: { "a b": { name: "levels" } } }, { models: { a: {} } }],
      ...[{ models: { a: { name: "levels" } } }, { models: { levels: {} } }, { models: { levels: { x: 1 } } }],
      ...[{ models: { denoise: { smoothing: 0.95 } } }, { models: { denoise: { name: "levels", smoothing: 0.95 } } }],
      ...[{ models: { a: { name: null, workers: 1 } } }, { models: { a: { workers: 1 } } }, { models: { a: [] } }],
      ...[{ model: { env: { A: 1, B: "x", C: true, D: null } } }, { model: { env: { "A-B": "x" } } }],
      ...[
        { model: { env: { A: [] } } },
        { model: { env: { A: "\0" } } },
        { model: { env: [] } },
        { model: { env: {} } },
      ],
    ];
    const wrong: unknown[] = [];
    for (const config of configs) if (schemaAccepts(config) !== (await serverAccepts(config))) wrong.push(config);
    expect(wrong).toEqual([]);
    // Neither all nor none of them are accepted.
    expect(new Set(configs.map(schemaAccepts))).toEqual(new Set([true, false]));
  });

  test("has a meaning, a default and a unit for every setting, and marks what needs a restart and what is secret", () => {
    type Property = Record<string, unknown>;
    const { properties, $defs } = schema as { properties: Record<string, Property>; $defs: Record<string, Property> };
    const of = (owner: Property | undefined) => owner?.["properties"] as Record<string, Property>;
    const limit = of(properties["limits"])["max_sessions"];
    expect(limit).toEqual({
      description:
        "Most sessions open at a time. A whole number from 1 to 1000000 (sessions); default 10000. Environment: STREAMER__LIMITS__MAX_SESSIONS.",
      default: 10_000,
      "x-unit": "sessions",
      type: ["integer", "null"],
      minimum: 1,
      maximum: 1_000_000,
    });
    expect(of(properties["server"])["port"]?.["x-restart"]).toBe(true);
    expect(of($defs["remote"])["headers"]?.["writeOnly"]).toBe(true);
    expect(of($defs["remote"])["token_file"]?.["writeOnly"]).toBeUndefined();
    // It is the same on every machine.
    expect(of($defs["model"])["workers"]?.["default"]).toBeUndefined();
    const { models: __, ...sections } = properties;
    const all = [...Object.values(sections), ...Object.values($defs)].flatMap((each) => Object.entries(of(each) ?? {}));
    const bare = all.filter(([, each]) => each["properties"] === undefined && !each["description"]);
    expect(bare.map(([key]) => key)).toEqual([]);
    expect(Object.keys($defs).sort()).toEqual([...builtInModels, "model", "own"].sort());
  });
});

function put(config: Record<string, unknown>, [key = "", ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) config[key] = value;
  else put((config[key] ??= {}) as Record<string, unknown>, rest, value);
}

/** What the server may make of a text before it looks at it. */
function spellings(text: string): string[] {
  return [text.toLowerCase(), text.replace(/\/+$/, "")];
}
