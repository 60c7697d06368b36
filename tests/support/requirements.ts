// What some tests need of the machine. A test whose requirement is missing is counted as skipped, and the reason is
// printed.

import { test } from "bun:test";
import { existsSync } from "node:fs";

/** Where Debian installs servers, which is not on everybody's PATH. */
const SERVERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/** The path of a program, or undefined when it is not installed. */
export function tool(name: string, debianPackage: string): string | undefined {
  const path = Bun.which(name, { PATH: [process.env["PATH"], ...SERVERS].join(":") }) ?? undefined;
  if (path === undefined) reportMissing(`${name} is not installed (Debian: apt-get install ${debianPackage})`);
  return path;
}

/** True, or undefined when one of these files is missing. `remedy` says how to get them. */
export function files(paths: readonly string[], remedy: string): true | undefined {
  const absent = paths.filter((path) => !existsSync(path));
  if (absent.length === 0) return true;
  reportMissing(`${absent.join(", ")} not found; ${remedy}`);
  return undefined;
}

/** Prints what the machine lacks. */
export function reportMissing(sentence: string): void {
  console.warn(`\nNOT TESTED: ${sentence}\n`);
}

/** `test`, or `test.skip` when a requirement is undefined. */
export function testWith(...requirements: readonly unknown[]): typeof test {
  return requirements.includes(undefined) ? (test.skip as typeof test) : test;
}
