import { beforeAll, expect, test } from "bun:test";

import { drawn, plotNames } from "../../../scripts/guide/plots.ts";
import { Drawing } from "../../../scripts/guide/support/drawing.ts";
import { svgPath } from "../../../scripts/guide/support/figure-files.ts";

/** Longest installation of the packages, in ms. */
const INSTALL_MS = 300_000;

let drawing: Drawing;

beforeAll(async () => {
  drawing = await Drawing.load();
}, INSTALL_MS);

test.each(await plotNames())("%s is drawn from its data as the same bytes", async (name) => {
  expect(await drawn(drawing, name)).toBe(await Bun.file(svgPath(name)).text());
});

test("what Vega leaves out of a drawing is an error", () => {
  const bar = { mark: "bar", encoding: { x: { field: "n", type: "quantitative", no_such: 1 }, shape: { field: "n" } } };
  expect(drawing.draw("title", [{ n: 1 }], bar, "mark")).rejects.toThrow();
});
