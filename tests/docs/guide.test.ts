import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";

import { buildExecutable } from "../../scripts/build.ts";
import { readDocuments, root } from "../support/documents.ts";
import { CHAPTERS, lacks, proseWords } from "../support/guide/chapters.ts";
import { difference } from "../support/guide/output.ts";
import { misquoted } from "../support/guide/quotation.ts";
import { Reader } from "../support/guide/reader.ts";
import { steps } from "../support/guide/steps.ts";

/** Time limit of a chapter, in seconds; all take a few. */
const LIMIT = 300;

const chapters = (await readDocuments()).filter(({ path }) => /^docs\/guide\/\d/.test(path));

test("there are eleven chapters, each with a row in the contents", async () => {
  expect(CHAPTERS.map(([name]) => `docs/guide/${name}.md`)).toEqual(chapters.map(({ path }) => path));
  const contents = await Bun.file(join(root, "docs/guide/README.md")).text();
  expect(CHAPTERS.filter(([name, title]) => !contents.includes(`[${title}](${name}.md)`))).toEqual([]);
});

test.each(chapters)("$path has the form of a chapter", (chapter) => {
  expect(lacks(chapter)).toEqual([]);
});

test.each(chapters)("the code that $path shows is that of the repository, and has a link", async ({ text }) => {
  for (const step of steps(text)) {
    if (step.kind !== "code") continue;
    const wrong = misquoted(step.lines, await Bun.file(join(root, step.path)).text());
    if (wrong !== undefined) throw new Error(`line ${step.line}: ${step.path} does not have\n${wrong}`);
    expect(text).toContain(`](../../${step.path})`);
  }
});

describe("experiments", () => {
  let executable = "";

  beforeAll(async () => {
    executable = await buildExecutable();
  }, LIMIT * 1_000);

  for (const { path, text } of chapters) {
    test.concurrent(
      `those of ${path} print what it says`,
      async () => {
        await using reader = await Reader.create(executable);
        for (const step of steps(text)) {
          await reader.follow(step).catch((error: unknown) => {
            throw new Error(`${path}:${step.line}`, { cause: error });
          });
        }
      },
      LIMIT * 1_000,
    );
  }
});

describe("the reader", () => {
  const followed = async (markdown: string): Promise<void> => {
    await using reader = await Reader.create("/bin/true");
    for (const step of steps(markdown)) await reader.follow(step);
  };

  test("saves files, runs commands, and compares what they print", async () => {
    const chapter =
      "```text file=a.txt\none\ntwo\n```\n```sh\n# a comment\ncat \\\n  a.txt\n```\n```text output\none\ntwo\n```\n";
    await followed(chapter);
    expect(followed(chapter.replace("\n```\n```sh", "\nthree\n```\n```sh"))).rejects.toThrow(
      "more than the chapter has",
    );
  });

  test("rejects a command that fails", () => {
    expect(followed("```sh\necho no; exit 3\n```\n")).rejects.toThrow("ended with 3\nno");
  });

  test("shows an expected failure", async () => {
    await followed('```sh\nfalse; echo "exit code $?"\n```\n```text output\nexit code 1\n```\n');
  });
});

describe("output", () => {
  test("is compared line by line; columns, durations and identifiers may differ", () => {
    expect(difference(["a  1 b"], "a 1   b\n")).toBeUndefined();
    expect(difference(["a 1"], "a 2\n")).toContain("missing:\na 1");
    expect(difference(["took 12 ms, 1.5 s"], "took 1,300 ms, 2 s\n")).toBeUndefined();
    expect(difference(["took 12 blocks"], "took 13 blocks\n")).toContain("missing");
    expect(difference(["a"], "")).toContain("missing");
    expect(difference(["a"], "a\nb\n")).toContain("more than");
  });

  test("may leave lines out", () => {
    expect(difference(["a", "...", "d"], "a\nb\nc\nd\n")).toBeUndefined();
    expect(difference(["a", "...", "d"], "a\nb\nc\n")).toContain("missing:\nd");
    expect(difference(["a", "...", "b", "..."], "a\nb\nc\n")).toBeUndefined();
    expect(difference(["...", "a", "..."], "b\na\na\nc\n")).toBeUndefined();
    expect(difference(["...", "c", "a", "..."], "b\na\nc\n")).toContain("missing:\nc\na");
    expect(difference(["...", "b"], "b\na\nb\n")).toBeUndefined();
    expect(difference(["...", "b"], "b\na\n")).toContain("missing:\nb");
  });

  test("may have other numbers, where the chapter says so", () => {
    expect(difference(["p99 12.5, n -3"], "p99 1,000, n 4\n", true)).toBeUndefined();
    expect(difference(["p99 12.5"], "p50 12.5\n", true)).toContain("missing");
  });
});

describe("code", () => {
  test("is compared without its layout; lines may be left out, but only in their order", () => {
    const source = "function a(\n  b: number,\n) {\n  one();\n  two();\n}\n";
    expect(misquoted(["function a(b: number) {", "// ...", "two();"], source)).toBeUndefined();
    expect(misquoted(["function a(b: string) {"], source)).toBe("function a(b: string) {");
    expect(misquoted(["two();", "// ...", "one();"], source)).toBe("one();");
    expect(misquoted(["one();", "}"], source)).toBe("one();\n}");
  });
});

test("steps are read from fences", () => {
  const markdown =
    "```sh\n# a\nb \\\n  c\nd\n```\n```text output numbers-vary\n1\n```\n```ts file=x.ts\ny\n```\n" +
    "```ts src/main.ts\nz\n```\n```json\n{}\n```\n````md\n```sh\nno\n```\n````\n";
  expect(steps(markdown)).toEqual([
    { kind: "command", text: "b c", line: 3, first: true },
    { kind: "command", text: "d", line: 5, first: false },
    { kind: "output", lines: ["1"], numbersVary: true, line: 8 },
    { kind: "file", path: "x.ts", text: "y\n", line: 11 },
    { kind: "code", path: "src/main.ts", lines: ["z"], line: 14 },
  ]);
});

test("words of prose are counted without code, tables and targets", () => {
  expect(proseWords("# A b\n\nc [d](e.md) - f\n\n| g | h |\n\n```sh\ni\n```\n<!-- j -->\n")).toBe(5);
});
