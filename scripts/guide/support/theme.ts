// How all figures look, and helpers for their specifications.

import type { Specification } from "./plot.ts";

/** Four colours of clearly different lightness: series can be told apart in print without colour. */
const COLOURS = ["#17375e", "#d1701f", "#6fa8d0", "#8c8c8c"];
const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
];
const SHAPES = ["circle", "square", "triangle-up", "diamond"];
const [INK, GRID] = ["#222222", "#dddddd"];

/** The configuration of Vega-Lite for every figure. */
export const THEME: Specification = {
  background: null,
  font: "Helvetica, Arial, sans-serif",
  padding: 0,
  view: { continuousWidth: 700, continuousHeight: 280, discreteWidth: 700, stroke: null },
  title: { anchor: "start", color: INK, fontSize: 15, fontWeight: "bold", offset: 12 },
  axis: {
    domainColor: INK,
    gridColor: GRID,
    labelColor: INK,
    labelFontSize: 12,
    tickColor: INK,
    titleColor: INK,
    titleFontSize: 12,
    titleFontWeight: "normal",
  },
  legend: {
    columns: 2,
    labelColor: INK,
    labelFontSize: 12,
    labelLimit: 400,
    orient: "top",
    symbolSize: 70,
    symbolStrokeWidth: 2,
    titleColor: INK,
    titleFontSize: 12,
    titleFontWeight: "normal",
  },
  header: { labelColor: INK, labelFontSize: 12, titleColor: INK, titleFontSize: 12, titleFontWeight: "normal" },
  line: { color: COLOURS[0], strokeWidth: 2 },
  point: { color: COLOURS[0], filled: true, opacity: 1, size: 60 },
  rule: { color: INK },
  text: { color: INK, fontSize: 12 },
  bar: { color: COLOURS[0] },
  area: { color: COLOURS[2] },
  range: { category: COLOURS },
};

/** Encodings that tell the series of a field apart by colour, dash and shape. At most four. */
export function series(field: string, names: readonly string[], title: string | null = null) {
  if (names.length > COLOURS.length) throw new Error(`${names.length} series are too many to tell apart`);
  const channel = (range: readonly unknown[]) => ({
    field,
    type: "nominal",
    title,
    sort: null,
    scale: { domain: names, range: range.slice(0, names.length) },
  });
  return { color: channel(COLOURS), strokeDash: channel(DASHES), shape: channel(SHAPES) };
}

/** Layers of a line with points for each series. `x` and `y` are encodings. */
export function lines(x: object, y: object, of: ReturnType<typeof series>): object[] {
  const { color, strokeDash, shape } = of;
  return [
    { mark: "line", encoding: { x, y, color, strokeDash } },
    { mark: "point", encoding: { x, y, color, shape } },
  ];
}
