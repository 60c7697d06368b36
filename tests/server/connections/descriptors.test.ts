import { describe, expect, test } from "bun:test";

import { type DescriptorSource, DescriptorWatch } from "../../../src/server/connections/descriptors.ts";

/** A process with as many descriptors as the test says. @param open undefined: none is left to count them */
function watch(limit: number | undefined, open: number | undefined) {
  let now = 0;
  let failure: string | undefined;
  const source: DescriptorSource = {
    limit: () => limit,
    open: () => {
      if (open === undefined) throw Object.assign(new Error("scandir"), { code: "EMFILE" });
      return open;
    },
    probe: () => {
      if (failure !== undefined) throw Object.assign(new Error(failure), { code: failure });
    },
  };
  const logged: [string, unknown][] = [];
  const record = (event: string, fields?: unknown) => void logged.push([event, fields]);
  const log = { debug: record, info: record, warn: record, error: record, with: () => log };
  const watched = new DescriptorWatch(log, () => now, source);
  return {
    logged,
    sessionLimit: (sessions: number) => watched.sessionLimit(sessions),
    /** Checks twice a second, as a server does. */
    check(seconds: number, code?: string) {
      failure = code;
      for (let n = 0; n < seconds * 2; n++) {
        watched.check(47);
        now += 500;
      }
    },
  };
}

const REMEDY =
  "raise the limit of open files (ulimit -n, LimitNOFILE= of systemd, --ulimit nofile of docker) or lower limits.max_sessions";

describe("file descriptors", () => {
  test("that are fewer than max_sessions needs lower it, with a warning, and leave 32 for everything else", () => {
    const few = watch(1_024, 20);
    expect(few.sessionLimit(1_000)).toBe(972);
    expect(few.logged).toEqual([
      ["few_file_descriptors", { limit: 1_024, in_use: 20, max_sessions: 1_000, sessions: 972, remedy: REMEDY }],
    ]);
    expect(watch(32, 20).sessionLimit(1_000)).toBe(1);
    for (const [limit, sessions] of [
      [1_052, 1_000],
      [undefined, 1_000_000],
    ] as const) {
      const enough = watch(limit, 20);
      expect(enough.sessionLimit(sessions)).toBe(sessions);
      expect(enough.logged).toEqual([]);
    }
  });

  test("that are all in use when the server starts, so that they cannot be counted, are warned of", () => {
    const few = watch(24, undefined);
    expect(few.sessionLimit(1_000)).toBe(1);
    expect(few.logged).toEqual([
      ["few_file_descriptors", { limit: 24, in_use: 24, max_sessions: 1_000, sessions: 1, remedy: REMEDY }],
    ]);
  });

  test("that are used up are logged once, then every five minutes, with what to do", () => {
    const it = watch(64, 20);
    it.check(10);
    expect(it.logged).toEqual([]);
    it.check(299, "EMFILE");
    expect(it.logged).toEqual([["no_file_descriptors", { code: "EMFILE", limit: 64, sessions: 47, remedy: REMEDY }]]);
    it.check(302, "ENFILE");
    expect(it.logged).toHaveLength(3);
  });

  test("are reported as available when none has been missing for ten seconds", () => {
    const it = watch(64, 20);
    it.check(1, "EMFILE");
    it.check(9);
    it.check(1, "EMFILE");
    it.check(9);
    expect(it.logged).toHaveLength(1);
    it.check(2);
    expect(it.logged.slice(1)).toEqual([["file_descriptors_available", { sessions: 47 }]]);
    it.check(60);
    expect(it.logged).toHaveLength(2);
  });

  test("do not matter to other failures of the check", () => {
    const it = watch(64, 20);
    it.check(1, "EACCES");
    expect(it.logged).toEqual([]);
  });
});
