import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";

import { MOST_ARENA_MIB } from "../../src/config/auto-arena.ts";
import {
  ConfigError,
  type EffectiveConfig,
  formatConfig,
  loadConfig,
  MODEL_SETTINGS,
  SETTINGS,
} from "../../src/config/config.ts";
import { VAD_DEFAULTS } from "../../src/protocol/vad-settings.ts";
import { DETECTOR_NAMES } from "../../src/vad/detectors.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "streamer-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

type Options = Parameters<typeof loadConfig>[0];

function problems(options: Options): readonly string[] {
  try {
    loadConfig(options);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const source = ({ entries }: EffectiveConfig, key: string) => entries.find((entry) => entry.key === key)?.source;

const SIMULATED = {
  delay: 0.5,
  constant_factor: 0.3,
  jitter: 0.2,
  failure_rate: 0.01,
  panic_rate: 0.0,
  warmup_penalty: 10.0,
};

describe("defaults", () => {
  test("without any source every setting has its default", () => {
    const { config, entries } = loadConfig();
    expect(config.server).toMatchObject({ host: "127.0.0.1", port: 8_080 });
    expect(config.vad).toEqual({ detector: "energy", ...VAD_DEFAULTS });
    expect(config.simple.block_ms).toBe(500);
    expect(config.limits).toMatchObject({
      max_message_bytes: 1_048_576,
      max_channels: 16,
      channel_budget_seconds: 135,
    });
    expect(config.model).toMatchObject({ name: "simulated", inference_timeout_ms: 30_000, settings: {} });
    expect(config.model.workers).toBeGreaterThan(0);
    expect(config.models).toEqual({});
    expect(entries.every(({ source }) => source === "default" || source.startsWith("default, auto: "))).toBe(true);
  });

  test("every default and both ends of every range are values that the setting allows", () => {
    for (const [section, table] of [...Object.entries(SETTINGS), ["model", MODEL_SETTINGS] as const]) {
      for (const [key, setting] of Object.entries(table)) {
        const values = "min" in setting ? [setting.default, setting.min, setting.max] : [setting.default];
        for (const value of values) {
          const found = problems({ sets: [`${section}.${key}=${value}`] });
          // Two ends of a range may contradict another setting's default; neither is refused for itself.
          expect(found.filter((problem) => problem.includes("a whole number from"))).toEqual([]);
        }
      }
    }
  });

  test("every number beyond its range is refused by name", () => {
    for (const [section, table] of Object.entries(SETTINGS)) {
      for (const [key, setting] of Object.entries(table)) {
        if (!("min" in setting)) continue;
        for (const value of [setting.min - 1, setting.max + 1]) {
          const [problem] = problems({ sets: [`${section}.${key}=${value}`] });
          expect(problem).toStartWith(`${section}.${key}: found ${value}; allowed: a `);
          const auto = "auto" in setting ? ", or auto" : "";
          expect(problem).toEndWith(`number from ${setting.min} to ${setting.max}${auto} (--set)`);
        }
      }
    }
  });

  test("the detector is one of the table of detectors", () => {
    for (const name of DETECTOR_NAMES) {
      expect(loadConfig({ sets: [`vad.detector=${name}`] }).config.vad.detector).toBe(name);
    }
    expect(problems({ sets: ["vad.detector=loudness"] })).toEqual([
      `vad.detector: found "loudness"; allowed: one of ${DETECTOR_NAMES.join(", ")} (--set)`,
    ]);
  });

  test("the effective configuration, given again as a file, means the same", () => {
    const { config } = loadConfig({ sets: ["model.delay=0", "models.b.delay=1", "limits.session_ms=0"] });
    const { settings, ...model } = config.model;
    const { settings: further, ...b } = config.models["b"] ?? { settings: {} };
    const again = { ...config, model: { ...model, ...settings }, models: { b: { ...b, ...further } } };
    expect(loadConfig({ file: file("again.json", again) }).config).toEqual(config);
  });
});

describe("sources", () => {
  test("a configuration that holds only the simulated model's settings works as it stands", () => {
    const given: [string, unknown][] = [];
    const { config } = loadConfig({
      file: file("config.json", { model: SIMULATED }),
      validateModelSettings: (name, settings) => {
        given.push([name, settings]);
        return [];
      },
    });
    expect(config.model).toMatchObject({ name: "simulated", settings: SIMULATED });
    expect(given).toEqual([["simulated", SIMULATED]]);
  });

  test("JSON, JSON5, YAML and TOML are equivalent", () => {
    const files = [
      file("a.json", '{"server":{"port":81},"model":{"delay":0.5,"words":["a"]}}'),
      file("a.json5", "{server: {port: 81}, /* slow */ model: {delay: .5, words: ['a']},}"),
      file("a.yaml", "server:\n  port: 81\nmodel:\n  delay: 0.5\n  words: [a]\nlimits:\n"),
      file("a.yml", "server: {port: 81}\nmodel: {delay: 0.5, words: [a]}"),
      file("a.toml", '[server]\nport = 81\n[model]\ndelay = 0.5\nwords = ["a"]\n'),
    ];
    for (const path of files) {
      const { config } = loadConfig({ file: path });
      expect([config.server.port, config.model.settings]).toEqual([81, { delay: 0.5, words: ["a"] }]);
    }
  });

  test("the environment overrides the file, flags override both, and --set overrides all", () => {
    const sources = {
      file: file("order.json", {
        server: { port: 1, host: "a" },
        log: { level: "debug" },
        model: { workers: 3, delay: 1 },
      }),
      env: { STREAMER__SERVER__PORT: "2", STREAMER__LOG__LEVEL: "error", STREAMER__MODEL__WORKERS: "4" },
      flags: { port: 3, workers: "5", model: undefined },
      sets: ["server.port=4"],
    };
    const effective = loadConfig(sources);
    expect(effective.config.server).toMatchObject({ host: "a", port: 4 });
    expect(effective.config.log.level).toBe("error");
    expect(effective.config.model).toMatchObject({ name: "simulated", workers: 5, settings: { delay: 1 } });
    expect(source(effective, "server.port")).toBe("--set");
    expect(source(effective, "server.host")).toBe(sources.file);
    expect(source(effective, "log.level")).toBe("environment variable STREAMER__LOG__LEVEL");
    expect(source(effective, "model.workers")).toBe("--workers");
    expect(source(effective, "model.name")).toBe("default");
  });

  test("only variables with the prefix and its two underscores are read", () => {
    const env = {
      STREAMER_PORT: "tcp://10.0.0.1:80",
      STREAMERS__X: "1",
      PATH: "/bin",
      STREAMER__VAD__PRE_ROLL_MS: "0",
    };
    expect(loadConfig({ env }).config.vad.pre_roll_ms).toBe(0);
  });

  test("a variable with single underscores or a misspelt prefix has no effect, and is warned of", () => {
    for (const [name, meant] of [
      ["STREAMER_MODEL_DELAY", "STREAMER__MODEL__DELAY"],
      ["STREAMER_MODEL__DELAY", "STREAMER__MODEL__DELAY"],
      ["streamer_model_delay", "STREAMER__MODEL__DELAY"],
      ["STREAMER_LOG_LEVEL", "STREAMER__LOG__LEVEL"],
      ["STREAMER_LIMITS_MAX_SESSION", "STREAMER__LIMITS__MAX_SESSIONS"],
      ["STREAMER_SERVER_PORT", "STREAMER__SERVER__PORT"],
      ["STREAMER_PORT", "STREAMER__SERVER__PORT"],
      ["STREAMER_MODLE_DELAY", "STREAMER__MODEL__DELAY"],
      ["STREAMMER__MODEL__DELAY", "STREAMER__MODEL__DELAY"],
      ["STREAMERS__LIMITS__ARENA_MB", "STREAMER__LIMITS__ARENA_MB"],
      ["STREAMER_MODELS_FAST_DELAY", "STREAMER__MODELS__FAST__DELAY"],
    ] as const) {
      const { config, warnings } = loadConfig({ env: { [name]: "7" } });
      expect(warnings).toEqual([`environment variable ${name} is ignored; did you mean ${meant}?`]);
      expect(config).toEqual(loadConfig().config);
    }
  });

  test("variables of other programs and of Kubernetes services are not warned of", () => {
    const env = {
      STREAMER__LOG__LEVEL: "debug",
      STREAMER_PORT: "tcp://10.0.0.1:80",
      STREAMER_MODEL_SERVICE_HOST: "10.0.0.1",
      STREAMER_MODEL_SERVICE_PORT_HTTP: "80",
      STREAMER_MODEL_PORT: "tcp://10.0.0.1:80",
      STREAMER_MODEL_PORT_80_TCP_ADDR: "10.0.0.1",
      STREAMER_HOME: "/srv",
      STREAMER_LOG_DIR: "/var/log",
      STREAMED_MODEL_DELAY: "1",
      MODEL__DELAY: "1",
      PATH: "/bin",
    };
    expect(loadConfig({ env }).warnings).toEqual([]);
  });

  test("a key whose section is misspelt, or is followed by one underscore, is refused with the key that is meant", () => {
    for (const [name, meant] of [
      ["STREAMER__MODLE__DELAY", "model.delay"],
      ["STREAMER__MODEL_DELAY", "model.delay"],
      ["STREAMER__SERVER_PORT", "server.port"],
      ["STREAMER___MODEL___DELAY", "model.delay"],
    ] as const) {
      expect(problems({ env: { [name]: "1" } })[0]).toContain(
        `did you mean "${meant}"? (environment variable ${name})`,
      );
    }
  });

  test("a key with a separator too many is refused with the key that is meant", () => {
    for (const [name, hint] of [
      ["STREAMER__MODEL__DELAY__", 'unknown key "model.delay."; did you mean "model.delay"?'],
      ["STREAMER__MODEL____DELAY", 'unknown key "model..delay"; did you mean "model.delay"?'],
      ["STREAMER____MODEL__DELAY", 'unknown key ".model.delay"; did you mean "model.delay"?'],
      ["STREAMER__", 'unknown key ""; allowed: a section and a name, such as model.delay'],
    ] as const) {
      expect(problems({ env: { [name]: "0" } })).toEqual([`${hint} (environment variable ${name})`]);
    }
    expect(problems({ sets: ["model.delay.=0", "model..delay=0"] })).toEqual([
      'unknown key "model.delay."; did you mean "model.delay"? (--set)',
      'unknown key "model..delay"; did you mean "model.delay"? (--set)',
    ]);
  });

  test("log.level takes warn for warning, and names in any case", () => {
    for (const [given, level] of [
      ["warn", "warning"],
      ["WARN", "warning"],
      ["Warning", "warning"],
      ["ERROR", "error"],
    ] as const) {
      expect(loadConfig({ flags: { "log-level": given } }).config.log.level).toBe(level);
      expect(loadConfig({ file: file("level.json", { log: { level: given } }) }).config.log.level).toBe(level);
    }
    expect(problems({ flags: { "log-level": "verbose" } })).toEqual([
      'log.level: found "verbose"; allowed: one of debug, info, warning, error (--log-level)',
    ]);
  });

  test("server.host takes an IPv6 address with the brackets of a URL", () => {
    expect(loadConfig({ flags: { host: "[::1]" } }).config.server.host).toBe("::1");
    expect(loadConfig({ flags: { host: "::1" } }).config.server.host).toBe("::1");
  });

  test("a file may begin with a byte order mark", () => {
    for (const [name, content] of [
      ["mark.json", '{"model":{"delay":0.5}}'],
      ["mark.json5", "{model:{delay:0.5}}"],
      ["mark.yaml", "model: {delay: 0.5}"],
      ["mark.toml", "model.delay = 0.5"],
    ] as const) {
      expect(loadConfig({ file: file(name, `\uFEFF${content}`) }).config.model.settings).toEqual({ delay: 0.5 });
    }
  });

  test("a variable matches a key of the file in any case", () => {
    const path = file("case.json", { model: { hotWords: "a" }, models: { Fast: { delay: 1 } } });
    const env = { STREAMER__MODEL__HOTWORDS: "b", STREAMER__MODELS__FAST__DELAY: "2", streamer__server__port: "5" };
    const { config } = loadConfig({ file: path, env });
    expect(config.model.settings).toEqual({ hotWords: "b" });
    expect(config.models["Fast"]?.settings).toEqual({ delay: 2 });
    expect(config.server.port).toBe(5);
  });

  test("text is parsed as a JSON scalar, unless the setting is a text", () => {
    const sets = ["model.a=0", "model.b=true", "model.c=x=y", 'model.d="7"', "model.e=", "model.f=1e3", "model.g=[1]"];
    expect(loadConfig({ sets }).config.model.settings).toEqual({
      a: 0,
      b: true,
      c: "x=y",
      d: "7",
      e: "",
      f: 1_000,
      g: "[1]",
    });
    expect(loadConfig({ sets: ["model.name=123", "server.host=::1"] }).config).toMatchObject({
      model: { name: "123" },
      server: { host: "::1" },
    });
  });

  test("a model's own settings may be nested, and part of them overridden", () => {
    const path = file("nested.json", { model: { vocabulary: { size: 3, words: ["a"] } } });
    const { config } = loadConfig({ file: path, sets: ["model.vocabulary.size=4"] });
    expect(config.model.settings).toEqual({ vocabulary: { size: 4, words: ["a"] } });
  });

  test("further models have their own settings, and their key is their default name", () => {
    const { config } = loadConfig({
      sets: ["models.levels.workers=1", "models.slow.name=simulated", "models.slow.delay=2"],
    });
    expect(config.models).toMatchObject({
      levels: { name: "levels", workers: 1, settings: {} },
      slow: { name: "simulated", settings: { delay: 2 } },
    });
  });

  test("a further model needs no settings, and a setting of a model may be an empty object", () => {
    const path = file("bare.json", { models: { levels: {} }, model: { vocabulary: {}, words: {} } });
    const { config } = loadConfig({ file: path, sets: ["model.words.size=4"] });
    expect(config.models).toMatchObject({ levels: { name: "levels", settings: {} } });
    expect(config.model.settings).toEqual({ vocabulary: {}, words: { size: 4 } });
    expect(loadConfig({ file: file("bare.toml", "[models.levels]") }).config.models).toHaveProperty("levels");
  });

  test("null and an empty section count as absent", () => {
    const nothing = { server: { port: null }, limits: null, vad: {}, model: { delay: null }, models: {} };
    expect(loadConfig({ file: file("null.json", nothing) }).config).toEqual(loadConfig().config);
    expect(loadConfig({ file: file("none.json", { model: {} }) }).config).toEqual(loadConfig().config);
    expect(loadConfig({ file: file("root.json", {}) }).config).toEqual(loadConfig().config);
    expect(loadConfig({ file: file("empty.yaml", "") }).config).toEqual(loadConfig().config);
  });
});

describe("refusals", () => {
  test("all problems are reported at once, each with its source", () => {
    const path = file("wrong.json", { srver: { port: 1 }, limits: { max_chanels: 2, max_sessions: "many" }, vad: 3 });
    const found = problems({
      file: path,
      env: { STREAMER__SIMPLE__BLOCK_MS: "5" },
      flags: { port: "http", "log-level": "loud" },
      sets: ["bogus", "port=80", "limits.arena_mb=1.5"],
    });
    expect(found).toEqual([
      '--set: found "bogus"; allowed: key=value, such as model.delay=0',
      `unknown key "srver.port"; did you mean "server.port"? (${path})`,
      `unknown key "limits.max_chanels"; did you mean "limits.max_channels"? (${path})`,
      `limits.max_sessions: found "many"; allowed: a whole number from 1 to 1000000 (${path})`,
      `vad: found 3; allowed: an object with ${Object.keys(SETTINGS.vad).join(", ")} (${path})`,
      "simple.block_ms: found 5; allowed: a whole number from 20 to 10000 (environment variable STREAMER__SIMPLE__BLOCK_MS)",
      'server.port: found "http"; allowed: a whole number from 0 to 65535 (--port)',
      'log.level: found "loud"; allowed: one of debug, info, warning, error (--log-level)',
      'unknown key "port"; did you mean "server.port"? (--set)',
      "limits.arena_mb: found 1.5; allowed: a whole number from 1 to 16384, or auto (--set)",
    ]);
  });

  test("an empty section is refused where its name is unknown or a value is wanted", () => {
    const path = file("hollow.json", { modle: {}, server: { hots: {}, port: {} }, models: { "a.b": {} } });
    expect(problems({ file: path })).toEqual([
      expect.stringContaining('unknown key "modle"; did you mean "model"?'),
      expect.stringContaining('unknown key "server.hots"; did you mean "server.host"?'),
      expect.stringContaining("server.port: found an object; allowed: a whole number"),
      expect.stringContaining('models: found "a.b"; allowed: names of'),
    ]);
  });

  test("a wrong value is refused even when a later source overrides it", () => {
    const path = file("overridden.json", { server: { port: "x" } });
    expect(problems({ file: path, sets: ["server.port=1"] })).toHaveLength(1);
  });

  test("in a file, a text is not accepted as a number, nor a number as a text", () => {
    const path = file("types.json", { server: { host: 1, port: "80" }, model: { workers: true, name: "" } });
    const found = problems({ file: path });
    expect(found.map((problem) => problem.split(":")[0])).toEqual([
      "server.host",
      "server.port",
      "model.workers",
      "model.name",
    ]);
  });

  test("a file that cannot be read or parsed, or has no sections, is reported", () => {
    const missing = join(folder, "missing.json");
    expect(problems({ file: missing })[0]).toStartWith(`${missing}: cannot be read:`);
    for (const [name, content] of [
      ["list.json", "[1]"],
      ["text.yaml", "hello"],
    ] as const) {
      const path = file(name, content);
      expect(problems({ file: path })[0]).toStartWith(`${path}: `);
    }
    const path = file("utf16.json", "");
    writeFileSync(path, "\uFEFF{}", "utf16le");
    expect(problems({ file: path })).toEqual([`${path}: found text in UTF-16; allowed: UTF-8`]);
  });

  test("a file with a fault is refused with the line and column of the fault", () => {
    for (const [name, content, place] of [
      ["broken.json", '{\n "model": {\n  "delay": 0.5,,\n }\n}', '3:16: found ","; allowed: a key in double quotes'],
      ["short.json", "{", "1:2: found the end of the file; allowed: a key in double quotes or }"],
      ["mark.json", "\uFEFF{]", '1:2: found "]"; allowed: a key in double quotes or }'],
      ["broken", "delay=1", '1:1: found "d"; allowed: a value'],
      [
        "comment.json",
        "// x\n{}",
        '1:1: found "/"; allowed: a value; it is valid JSON5, which needs the extension .json5',
      ],
      ["broken.yaml", "model:\n  delay: [1\n  x: 2\n", "3:3: "],
      ["broken.toml", "[model]\ndelay = \n", "2:9: "],
      ["broken.json5", "{\n a: 1,,\n}", "2:"],
    ] as const) {
      const path = file(name, content);
      const [problem = ""] = problems({ file: path });
      expect(problem).toStartWith(`${path}:${place}`);
    }
  });

  test("settings that contradict each other are refused with both their sources", () => {
    expect(problems({ sets: ["vad.post_roll_ms=600"] })).toEqual([
      "vad.post_roll_ms: found 600 (--set); allowed: at most vad.min_silence_ms, which is 500 (default)",
    ]);
    expect(problems({ sets: ["limits.read_ahead_seconds=136"] })).toHaveLength(1);
    expect(problems({ sets: ["models.simulated.delay=1"] })[0]).toContain("already the name of the default model");
  });

  test("settings with which a pattern would refuse every stream are refused, in the pattern's own words", () => {
    const budget = ["limits.channel_budget_seconds=2", "limits.read_ahead_seconds=1", "vad.max_utterance_ms=1000"];
    for (const pattern of ["simple", "stateful"]) {
      const found = (sets: readonly string[]) => problems({ sets }).filter((text) => text.startsWith(`${pattern}.`));
      expect(found(budget)).toEqual([]);
      expect(found([...budget, `${pattern}.block_ms=10000`])).toEqual([
        `${pattern}.block_ms: found 10000; allowed: at most 1950, which one channel may hold ` +
          "(limits.channel_budget_seconds is 2, --set)",
      ]);
    }
    const [utterance] = problems({ sets: ["limits.channel_budget_seconds=30", "limits.read_ahead_seconds=1"] });
    expect(utterance).toStartWith("vad.max_utterance_ms: found 30000; allowed: with vad.pre_roll_ms 200 ");
    expect(utterance).toEndWith("(limits.channel_budget_seconds is 30, --set)");
    expect(problems({ sets: ["limits.channel_budget_seconds=30.3"] })).toEqual([]);
  });

  test("problems that a model finds in its settings are reported with the rest, with their source", () => {
    const validateModelSettings = (name: string, settings: Readonly<Record<string, unknown>>) =>
      "delai" in settings ? [`unknown setting "delai" of ${name}; did you mean "delay"?`] : [];
    expect(
      problems({
        sets: ["models.b.delai=1", "server.port=-1"],
        env: { STREAMER__MODEL__DELAI: "0" },
        validateModelSettings,
      }),
    ).toEqual([
      "server.port: found -1; allowed: a whole number from 0 to 65535 (--set)",
      'model: unknown setting "delai" of simulated; did you mean "delay"? (environment variable STREAMER__MODEL__DELAI)',
      'models.b: unknown setting "delai" of b; did you mean "delay"? (--set)',
    ]);
  });

  test("the name of a model must be valid in a key", () => {
    const path = file("names.json", { models: { "a.b": { x: 1 }, "": { x: 1 } } });
    expect(problems({ file: path })).toHaveLength(2);
    expect(problems({ sets: ["models=1", "models.x=1", "model=1", "model.=1"] })).toHaveLength(4);
  });

  test("__proto__ is not a key, anywhere", () => {
    const path = file(
      "proto.json",
      '{"__proto__":{"a":1},"model":{"__proto__":{"a":1}},"models":{"__proto__":{"a":1}}}',
    );
    expect(problems({ file: path })).toHaveLength(3);
    expect(problems({ sets: ["model.x.__proto__.y=1", "constructor=1", "server.constructor=1"] })).toHaveLength(3);
    expect("y" in {}).toBe(false);
  });

  test("no input throws anything but a ConfigError", () => {
    const part = fc.oneof(
      fc.constantFrom("model", "models", "server", "port", "vad", "limits", "name", "x", "constructor", "__proto__"),
      fc.string(),
    );
    const key = fc.array(part, { minLength: 1, maxLength: 4 });
    const sets = fc.array(fc.tuple(key, fc.string()).map(([path, value]) => `${path.join(".")}=${value}`));
    const env = fc
      .array(fc.tuple(key, fc.string()))
      .map((pairs) => Object.fromEntries(pairs.map(([path, value]) => [`STREAMER__${path.join("__")}`, value])));
    fc.assert(
      fc.property(sets, env, (someSets, someEnv) => {
        for (const problem of problems({ sets: someSets, env: someEnv })) expect(problem).not.toBe("");
      }),
    );
  });
});

describe("formatConfig", () => {
  test("every key is printed with its value, unit and source", () => {
    const { entries } = loadConfig({ sets: ["model.delay=0"], env: { STREAMER__VAD__THRESHOLD_DB: "12" } });
    const lines = formatConfig(entries).trimEnd().split("\n");
    expect(lines).toHaveLength(entries.length);
    const words = lines.map((line) => line.replaceAll(/ {2,}/g, " | ").trimEnd());
    expect(words).toContain('server.host | "127.0.0.1" | default');
    expect(words).toContain("limits.idle_timeout_ms | 60000 ms | default");
    expect(words).toContain("vad.threshold_db | 12 dB | environment variable STREAMER__VAD__THRESHOLD_DB");
    expect(words).toContain("model.delay | 0 | --set");
  });

  test("the audio memory is a third of all memory unless it is a number, and what auto comes to is printed", () => {
    const printed = (set?: string) => {
      const { config, entries } = loadConfig(set === undefined ? {} : { sets: [set] });
      const line = formatConfig(entries.filter(({ key }) => key === "limits.arena_mb"));
      expect(line).toStartWith(`limits.arena_mb  ${config.limits.arena_mb} MiB  `);
      return line;
    };
    const auto = /(\d+) MiB {2}default, auto: a third of the (\d+) MiB of the (machine|container)\n$/;
    const [, size, all] = auto.exec(printed()) ?? [];
    expect(Number(size)).toBe(Math.min(MOST_ARENA_MIB, Math.max(16, Math.floor(Number(all) / 3))));
    expect(printed("limits.arena_mb=auto")).toContain(`${size} MiB  --set, auto: a third of `);
    expect(printed("limits.arena_mb=48")).toBe("limits.arena_mb  48 MiB  --set\n");
    expect(problems({ sets: ["limits.arena_mb=all"] })).toEqual([
      'limits.arena_mb: found "all"; allowed: a whole number from 1 to 16384, or auto (--set)',
    ]);
  });

  test("settings that a model describes are printed with unit and default, after its other keys", () => {
    const describeModelSettings = (name: string) => ({
      delay: { default: 0.5, unit: "s" },
      ...(name === "far" && { place: { default: null }, none: { default: undefined } }),
    });
    const sets = ["models.far.workers=3", "model.odd=true", "model.delay=1"];
    const { config, entries } = loadConfig({ sets, describeModelSettings });
    const shown = formatConfig(
      entries.filter(
        ({ key }) => key.startsWith("model") && !/name|_ms|\.workers|_per_worker|isolation|python/.test(key),
      ),
    );
    expect(shown.replaceAll(/ {2,}/g, " | ")).toBe(
      "model.odd | true | --set\nmodel.delay | 1 s | --set\nmodels.far.delay | 0.5 s | default\nmodels.far.place | null | default\n",
    );
    // The model fills in its own defaults.
    expect(config.models["far"]?.settings).toEqual({});
  });

  test("headers of requests to engines, and passwords in URLs, are not shown, but names of files are", () => {
    const sets = ["headers.x-team=abc", "proxy=http://user:abc@proxy:1", "token_file=/run/token", "token=abc"];
    const { entries } = loadConfig({ sets: sets.map((set) => `model.${set}`) });
    const shown = formatConfig(entries.filter(({ source }) => source === "--set"));
    expect(shown.replaceAll(/ {2,}/g, " | ")).toBe(
      'model.headers.x-team | "[redacted]" | --set\nmodel.proxy | "http://[redacted]@proxy:1" | --set\n' +
        'model.token_file | "/run/token" | --set\nmodel.token | "[redacted]" | --set\n',
    );
  });

  test("a remote model has one worker, unless more are configured", () => {
    const sets = ["models.a.name=remote", "models.b.name=remote", "models.b.workers=3"];
    const { config, entries } = loadConfig({ sets });
    expect([config.models["a"], config.models["b"]].map((model) => model?.workers)).toEqual([1, 3]);
    expect(entries.find(({ key }) => key === "models.a.workers")?.source).toBe("default");
  });

  test("a model in Python runs in processes, and cannot be told otherwise", () => {
    const { config } = loadConfig({ sets: ["models.a.name=./a.py", "models.b.name=./b.ts"] });
    expect([config.model, config.models["a"], config.models["b"]].map((model) => model?.isolation)).toEqual([
      "thread",
      "process",
      "thread",
    ]);
    expect(config.models["a"]?.python).toBe("auto");
    const sets = ["models.a.name=./a.py", "models.a.isolation=thread"];
    expect(() => loadConfig({ sets })).toThrow(
      "models.a.isolation: found thread (--set); allowed for a .py file: process",
    );
  });

  test("a further model cannot have the name of the default model's file", () => {
    const sets = ["model.name=./models/near.ts", "models.near.workers=1"];
    expect(() => loadConfig({ sets })).toThrow("models.near: is already the name of the default model");
  });
});

describe("the address for operators", () => {
  test.each([
    "none",
    "127.0.0.1:9090",
    "127.8.0.1:0",
    "[::1]:9090",
    "localhost:1",
    "unix:/run/streamer.sock",
    "unix:a",
    "0.0.0.0:9090",
    "[::]:9090",
    "example.org:9090",
  ])("%s is accepted", (admin) => {
    expect(loadConfig({ flags: { admin }, sets: ["auth.tokens=tokens"] }).config.server.admin).toBe(admin);
  });

  test.each(["0.0.0.0:9090", "192.168.1.5:9090", "[::]:9090", "example.org:9090"])(
    "%s is refused without tokens, because another machine could reach it",
    (admin) => {
      expect(problems({ flags: { admin } })).toEqual([
        `server.admin: found ${admin} (--admin), which other machines can reach; ` +
          "allowed: a loopback address or unix:PATH, or any address together with auth.tokens",
      ]);
    },
  );

  test.each([
    ["a b:9090", "a host has no space"],
    ["9090", "there is no address"],
    ["127.0.0.1", "there is no port"],
    ["127.0.0.1:65536", "there is no such port"],
    ["::1:9090", "an IPv6 address needs brackets"],
    ["unix:", "there is no path"],
    [`unix:/${"x".repeat(107)}`, "the path is longer than the kernel takes"],
  ])("%s is refused, because %s", (admin) => {
    const [problem, ...others] = problems({ flags: { admin } });
    expect(problem).toMatch(/^server\.admin: found ".*"; allowed: none, unix:PATH, or an address and a port/);
    expect(others).toEqual([]);
  });
});

test("routes that only the address for operators has need that address", () => {
  const sets = ["server.admin_only=/metrics,/api/v1/info/"];
  expect(loadConfig({ sets, flags: { admin: "unix:a" } }).config.server.admin_only).toEqual([
    "/metrics",
    "/api/v1/info",
  ]);
  expect(problems({ sets })).toEqual([
    "server.admin_only: found routes without an address for them; allowed: together with server.admin",
  ]);
  expect(problems({ sets: ["auth.public_routes=metrics"] })).toEqual([
    'auth.public_routes: found "metrics"; allowed: a list of at most 1000 paths of routes, such as /metrics (--set)',
  ]);
});

test("the number of processes is 1 by default, a number, or auto", () => {
  expect(loadConfig().config.server.processes).toBe(1);
  expect(loadConfig({ flags: { processes: "4" } }).config.server.processes).toBe(4);
  expect(loadConfig({ flags: { processes: "auto" } }).config.server.processes).toBe("auto");
  expect(problems({ flags: { processes: "many" } })).toEqual([
    'server.processes: found "many"; allowed: a whole number from 1 to 64, or auto (--processes)',
  ]);
});

describe("variables of processes of models", () => {
  test("come from every source, and keep the case of their names", () => {
    const env = { STREAMER__MODEL__ENV__OMP_NUM_THREADS: "2", streamer__models__b__env__Mixed_Case: "x" };
    const path = file(
      "variables.yaml",
      "model:\n  env: { HF_HOME: /srv, OMP_NUM_THREADS: 1 }\nmodels:\n  b: { env: {} }\n",
    );
    const { config } = loadConfig({ file: path, env, sets: ["model.env.CUDA_VISIBLE_DEVICES=0,1", "models.b.env.A="] });
    expect(config.model.env).toEqual({ HF_HOME: "/srv", OMP_NUM_THREADS: "2", CUDA_VISIBLE_DEVICES: "0,1" });
    expect(config.models["b"]?.env).toEqual({ Mixed_Case: "x", A: "" });
    expect(loadConfig({}).config.model.env).toEqual({});
    // A model may be called so.
    const named = loadConfig({ env: { STREAMER__MODELS__ENV__NAME: "levels", STREAMER__MODELS__ENV__WORKERS: "1" } });
    expect(named.config.models["env"]).toMatchObject({ name: "levels", workers: 1, env: {} });
  });

  test("are refused by key when they cannot be variables", () => {
    const path = file("no-variables.json", { model: { env: { A: [1], "B-C": "x", D: { e: 1 } } } });
    expect(problems({ file: path })).toEqual([
      `model.env.A: found an array; allowed: a text of at most 4096 characters, or a number (${path})`,
      expect.stringMatching(/^model\.env: found "B-C"; allowed: an object of environment variables: names /),
      `model.env.D: found an object; allowed: a text of at most 4096 characters, or a number (${path})`,
    ]);
    expect(problems({ sets: ["model.env=x"] })).toEqual([
      expect.stringMatching(/^model\.env: found "x"; allowed: an object of environment variables/),
    ]);
    expect(problems({ sets: [`model.env.A=${"x".repeat(4_097)}`] })).toHaveLength(1);
  });
});
