import { expect, test } from "bun:test";

import { readDocuments, withoutFences } from "../support/documents.ts";

const MAX_COLUMNS = 120;

/** Lines of prose that are too wide. Tables, fenced code and the targets of links do not count. */
function wideLines(markdown: string): string[] {
  return withoutFences(markdown)
    .split("\n")
    .filter((line) => !line.startsWith("|"))
    .filter((line) => [...line.replace(/\]\([^)]*\)/g, "]")].length > MAX_COLUMNS);
}

const documents = await readDocuments();

test.each(documents)("prose in $path is at most 120 columns wide", ({ text }) => {
  expect(wideLines(text)).toEqual([]);
});

test.each(documents.filter(({ path }) => /^docs\/decisions\/\d/.test(path)))(
  "$path has a number, and the sections of a decision",
  ({ path, text }) => {
    const [, number = ""] = /\/0*(\d+)-[a-z0-9-]+\.md$/.exec(path) ?? [];
    expect(text).toStartWith(`# ${number}. `);
    const sections = [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title);
    expect(sections).toEqual(["Context", "Decision", "Consequences", "Alternatives"]);
  },
);

test("decisions are numbered without gaps and doubles", () => {
  const numbers = documents.flatMap(({ path }) => /^docs\/decisions\/(\d{4})/.exec(path)?.[1] ?? []);
  expect(numbers.toSorted()).toEqual(numbers.map((_, i) => String(i + 1).padStart(4, "0")));
});

test("every decision has a row in the index", () => {
  const index = documents.find(({ path }) => path === "docs/decisions/README.md")?.text ?? "";
  const decisions = documents.filter(({ path }) => /^docs\/decisions\/\d/.test(path));
  expect(decisions.length).toBeGreaterThan(9);
  expect(decisions.filter(({ path }) => !index.includes(`](${path.replace("docs/decisions/", "")})`))).toEqual([]);
});

test("wide prose is found; wide tables, code and link targets are not", () => {
  const wide = "x".repeat(MAX_COLUMNS + 1);
  expect(wideLines(`a\n${wide}\n`)).toEqual([wide]);
  expect(wideLines(`- ${wide}\n`)).toHaveLength(1);
  expect(wideLines(`| ${wide} |\n\`\`\`sh\n${wide}\n\`\`\`\n  \`\`\`\n  ${wide}\n  \`\`\`\n[a](${wide}) b\n`)).toEqual(
    [],
  );
});
