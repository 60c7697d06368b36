import { describe, expect, test } from "bun:test";

import { loadConfig } from "../../src/config/config.ts";
import { autoConnections } from "../../src/config/connection-limits.ts";

/** The entry of a key of `limits`, as --print-config shows it. */
function limitsOf(set: readonly string[]): Record<string, string> {
  const { entries } = loadConfig({ sets: set });
  return Object.fromEntries(entries.map(({ key, value, source }) => [key, `${String(value)} ${source}`]));
}

describe("limits.max_connections auto", () => {
  test("is twice the sessions, and 1,024 at least", () => {
    expect(autoConnections(10_000, undefined)).toEqual({ value: 20_000, reason: "auto: twice limits.max_sessions" });
    expect(autoConnections(10, 1_048_576)).toEqual({ value: 1_024, reason: "auto: at least 1024" });
  });

  test("is what file descriptors allow, if that is less", () => {
    expect(autoConnections(10_000, 1_024)).toEqual({ value: 992, reason: "auto: of 1024 file descriptors" });
    expect(autoConnections(10_000, 20).value).toBe(16);
  });

  test("leaves a tenth to each address, of sessions as well if those are more", () => {
    const few = limitsOf(["limits.max_sessions=5000", "limits.max_connections=95"]);
    expect(few["limits.max_connections_per_address"]).toBe("10 default, auto: a tenth of limits.max_connections");
    expect(few["limits.max_sessions_per_address"]).toBe("10 default, auto: a tenth of limits.max_connections");
    const many = limitsOf(["limits.max_sessions=50", "limits.max_connections=2000"]);
    expect(many["limits.max_connections_per_address"]).toBe("200 default, auto: a tenth of limits.max_connections");
    expect(many["limits.max_sessions_per_address"]).toBe("5 default, auto: a tenth of limits.max_sessions");
  });

  test("gives way to a number, which may be 0 for an address only", () => {
    expect(limitsOf(["limits.max_connections_per_address=0"])["limits.max_connections_per_address"]).toBe("0 --set");
    expect(() => limitsOf(["limits.max_connections=0"])).toThrow(
      "limits.max_connections: found 0; allowed: a whole number from 16 to 2000000, or auto (--set)",
    );
  });
});
