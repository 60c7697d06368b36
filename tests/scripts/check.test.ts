import { expect, test } from "bun:test";

import { type Check, runChecks } from "../../scripts/check.ts";

function check(name: string, script: string, repair?: string): Check {
  return { name, command: [process.execPath, "-e", script], ...(repair && { repair }) };
}

test("every check is named, the output of a failed one is shown, and later ones still run", async () => {
  const lines: string[] = [];
  const checks = [
    check("first", "console.log('noise')"),
    check("second", "console.log('a problem'); console.error('another'); process.exit(3)", "bun run repair"),
    check("third", "process.exit(1)"),
    check("fourth", ""),
  ];
  expect(await runChecks(checks, (line) => lines.push(line))).toEqual({ passed: 2, failed: ["second", "third"] });
  expect(lines).toEqual([
    "check: first passed",
    "check: second failed\na problem\nanother",
    "repair: bun run repair",
    expect.stringMatching(/^check: third failed/),
    "check: fourth passed",
  ]);
});
