import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { plotNames } from "../../scripts/guide/plots.ts";
import { FIGURES, readData, svgPath } from "../../scripts/guide/support/figure-files.ts";
import { readDocuments, root } from "../support/documents.ts";

const names = await plotNames();
const documents = await readDocuments();

test("every figure has its data and its drawing, and there are no others", async () => {
  expect((await readdir(FIGURES)).sort()).toEqual(names.flatMap((name) => [`${name}.json`, `${name}.svg`]).sort());
});

test.each(names)("%s is shown by a chapter", (name) => {
  const chapters = documents.filter(({ text }) => text.includes(`](figures/${name}.svg)`));
  expect(chapters.map(({ path }) => path)).toEqual([expect.stringMatching(/^docs\/guide\/\d\d-/)]);
});

test.each(names)("%s is drawn from the data beside it", async (name) => {
  const { data, mark } = await readData(name);
  expect(await Bun.file(svgPath(name)).text()).toContain(`<desc>${mark}</desc>`);
  expect(data.rows.length).toBeGreaterThan(0);
  expect(data).toMatchObject({
    title: expect.any(String),
    command: `bun run guide:plots ${name}`,
    date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
    commit: expect.stringMatching(/^[0-9a-f]{7,40}$/),
    processor: expect.any(String),
    cores: expect.any(Number),
    load: { before: expect.any(Number), after: expect.any(Number) },
  });
});

test.each(["no-such", "batching no-such", "--no-such"])("`%s` lists the figures", async (args) => {
  const child = Bun.spawn([process.execPath, join(root, "scripts", "guide", "plots.ts"), ...args.split(" ")], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, err] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain("no-such");
  expect(err).toContain("usage: bun run guide:plots [NAME ...] [--redraw]");
  for (const name of names) expect(err).toContain(name);
});
