import { expect, test } from "bun:test";

import type { Check, Examined } from "../../../src/commands/doctor/check.ts";
import { CHECKS } from "../../../src/commands/doctor/checks.ts";
import type { Finding } from "../../../src/commands/doctor/finding.ts";
import { plainLine, Tally, terminalLines } from "../../../src/commands/doctor/report.ts";
import { runChecks } from "../../../src/commands/doctor/run-checks.ts";
import { loadConfig } from "../../../src/config/config.ts";

/** What the checks of these tests do not look at. */
function examined(): Examined {
  const effective = loadConfig();
  return {
    machine: { read: () => undefined, env: {}, now: () => 0 },
    config: effective.config,
    effective,
    programs: { workerUrl: "", modelCommand: [] },
    running: () => Promise.resolve(undefined),
    show: () => undefined,
  };
}

async function run(...checks: readonly Check[]): Promise<{ began: string[]; found: Finding[] }> {
  const began: string[] = [];
  const found: Finding[] = [];
  await runChecks(checks, examined(), {
    began: ({ name }) => void began.push(name),
    found: (finding) => void found.push(finding),
  });
  return { began, found };
}

const check = (name: string, run: Check["run"], limitMs = 60_000): Check => ({ name, limitMs, run });

test("a check that throws, at once or later, is a failure, and the others follow", async () => {
  const { began, found } = await run(
    check("first", () => {
      throw new Error("broken");
    }),
    check("second", async (_, report) => {
      report("ok", "part", "is well");
      await Promise.reject(new Error("broken later"));
    }),
    check("third", (_, report) => report("note", "third", "is there")),
  );
  expect(began).toEqual(["first", "second", "third"]);
  expect(found).toEqual([
    { verdict: "failure", subject: "first", found: "the check itself failed: broken" },
    { verdict: "ok", subject: "part", found: "is well" },
    { verdict: "failure", subject: "second", found: "the check itself failed: broken later" },
    { verdict: "note", subject: "third", found: "is there" },
  ]);
});

test("a check that does not end within its time is a failure, and what it reports later is dropped", async () => {
  let late: (() => void) | undefined;
  const { found } = await run(
    check(
      "stuck",
      async (_, report) => {
        report("ok", "stuck", "one part");
        late = () => report("ok", "stuck", "too late");
        await new Promise(() => undefined);
      },
      1,
    ),
    check("next", () => late?.()),
  );
  expect(found).toEqual([
    { verdict: "ok", subject: "stuck", found: "one part" },
    { verdict: "failure", subject: "stuck", found: "the check did not end within 0.001 s" },
  ]);
});

test("every check has a time limit, and a name of one word for --skip", () => {
  for (const { name, limitMs } of CHECKS) {
    expect(name).toMatch(/^[a-z]+$/);
    const limit = typeof limitMs === "number" ? limitMs : limitMs(examined());
    expect(limit).toBeGreaterThanOrEqual(5_000);
    expect(limit).toBeLessThan(3_600_000);
  }
});

const FINDING: Finding = {
  verdict: "warning",
  subject: "server.port",
  found: "127.0.0.1:8080 is in use by a program with a rather long name, which nobody has heard of before",
  remedy: "stop that program, or choose another port with --port",
};

test("a finding fits a terminal of 80 columns, with what to do below it, and is one line elsewhere", () => {
  expect(terminalLines(FINDING, 80, (colour, text) => `<${colour}>${text}</>`).split("\n")).toEqual([
    "<yellow>warning</>  server.port       127.0.0.1:8080 is in use by a program with a rather",
    "                           long name, which nobody has heard of before",
    "                           -> stop that program, or choose another port with",
    "                           --port",
  ]);
  const long = terminalLines({ ...FINDING, subject: "audiosocket.principal" }, 80, (_, text) => text).split("\n");
  expect(long[0]).toBe("warning  audiosocket.principal");
  for (const line of long) expect(line.length).toBeLessThan(80);
  expect(plainLine(FINDING)).toBe(`warning  server.port       ${FINDING.found} -> ${FINDING.remedy}`);
  const hostile = plainLine({ verdict: "ok", subject: "model", found: "one\n\u001B[2Jtwo" });
  expect(hostile).toBe("ok       model             one; \\u{1b}[2Jtwo");
});

test("the summary counts, and says whether a server would start", () => {
  const tally = new Tally();
  expect(tally.worst).toBe("ok");
  tally.add({ ...FINDING, verdict: "ok" });
  tally.add(FINDING);
  expect([tally.worst, tally.summary(false)]).toEqual([
    "warning",
    "1 ok, 0 notes, 1 warning, 0 failures: serve can start",
  ]);
  expect(tally.summary(true)).toEndWith("the server that runs can go on");
  tally.add({ ...FINDING, verdict: "failure" });
  expect(tally.summary(true)).toBe("1 ok, 0 notes, 1 warning, 1 failure: serve would not start, or not work");
});
