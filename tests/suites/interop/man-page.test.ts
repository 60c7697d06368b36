// Programs that show manual pages find no fault with that of the program.

import { expect, setDefaultTimeout, test } from "bun:test";

import { testWith, tool } from "../../support/requirements.ts";
import { FROM_SOURCE, Program } from "../../support/surface/program.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const man = tool("man", "man-db");
const mandoc = tool("mandoc", "mandoc");
const groff = tool("groff", "groff");

const BACKSPACE = String.fromCodePoint(8);
const page = (await new Program(FROM_SOURCE).run(["man"])).out;

/** Runs a program with the page as its input. */
async function show(
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<{ out: string; err: string }> {
  const child = Bun.spawn([...command], {
    env: { PATH: process.env["PATH"] ?? "", LC_ALL: "C.UTF-8", ...env },
    stdin: new TextEncoder().encode(page),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { out, err };
}

test("the page is not empty", () => {
  expect(page.split("\n").length).toBeGreaterThan(800);
});

testWith(mandoc)("mandoc has no remarks about the style", async () => {
  expect(await show(["mandoc", "-T", "lint"])).toEqual({ out: "", err: "" });
});

testWith(groff).each(["utf8", "ascii", "ps"])("groff formats the page for %s without a warning", async (device) => {
  expect((await show(["groff", "-ww", "-man", `-T${device}`])).err).toBe("");
});

testWith(man).each(["60", "80", "200"])("man shows the page %s columns wide, as it is typed", async (width) => {
  const { out, err } = await show(["man", "--warnings", "-l", "-"], { MANWIDTH: width });
  expect(err).toBe("");
  // Bold characters are printed twice.
  const shown = out.replaceAll(new RegExp(`.${BACKSPACE}`, "gu"), "");
  expect(shown).toMatch(/^STREAMER\(1\) +User Commands +STREAMER\(1\)$/m);
  expect(shown).toContain("       streamer send -i recording.wav --real-time --interim-results\n");
  expect(shown).toContain("           echo '. ~/.streamer-completion' >> ~/.bashrc\n");
  expect(shown).toMatch(/^ {7}-i, --input=FILE\|-$/m);
  expect(shown).toMatch(/^ {7}\.venv {2}The Python environment/m);
  const longest = Math.max(...shown.split("\n").map((line) => line.length));
  expect(longest).toBeLessThanOrEqual(Math.max(Number(width), 100));
});
