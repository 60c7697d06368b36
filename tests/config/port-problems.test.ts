import { describe, expect, test } from "bun:test";

import { ConfigError, loadConfig } from "../../src/config/config.ts";

function problems(settings: Readonly<Record<string, string | number>>): readonly string[] {
  try {
    loadConfig({ sets: Object.entries(settings).map(([key, value]) => `${key}=${value}`) });
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const TOKENS = { "auth.tokens": "tokens.txt", "wyoming.port": 10_300 };

describe("a port on which nobody can show a token", () => {
  test("needs the name that its clients count as, once there are tokens", () => {
    expect(problems(TOKENS)).toEqual([
      "wyoming.principal: found none (default); allowed, together with wyoming.port and auth.tokens: a name in the file " +
        "of tokens, because clients of this port cannot show one",
    ]);
    expect(problems({ ...TOKENS, "wyoming.principal": "home" })).toEqual([]);
    expect(problems({ "wyoming.port": 10_300 })).toEqual([]);
    expect(problems({ "auth.tokens": "tokens.txt" })).toEqual([]);
  });

  test("needs the addresses that may use it, once there are tokens and it is beyond loopback", () => {
    const open = { ...TOKENS, "wyoming.principal": "home", "wyoming.host": "0.0.0.0" };
    const [problem, ...others] = problems(open);
    expect(problem).toStartWith(
      "wyoming.allow: found nothing; allowed, together with auth.tokens and wyoming.host 0.0.0.0",
    );
    expect(others).toEqual([]);
    expect(problems({ ...open, "wyoming.allow": "192.168.0.0/16" })).toEqual([]);
    expect(problems({ ...open, "wyoming.host": "::1" })).toEqual([]);
    expect(problems({ "wyoming.port": 10_300, "wyoming.host": "0.0.0.0" })).toEqual([]);
  });

  test("is a port of its own", () => {
    expect(problems({ "wyoming.port": 8_080 })).toEqual([
      expect.stringContaining("wyoming.port: found 8080") as unknown as string,
    ]);
    expect(problems({ "wyoming.port": 2_700, "vosk.port": 2_700 })).toHaveLength(1);
  });

  test("takes ranges of addresses in any spelling, and names of languages", () => {
    const { config } = loadConfig({ sets: ["wyoming.allow=10.1.2.3,fd00::/8", "wyoming.languages=en,pt-BR"] });
    expect(config.wyoming).toMatchObject({ allow: ["10.1.2.3/32", "fd00::/8"], languages: ["en", "pt-BR"] });
    expect(problems({ "wyoming.allow": "home" })).toHaveLength(1);
    expect(problems({ "wyoming.languages": "en us" })).toHaveLength(1);
  });
});
