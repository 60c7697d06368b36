import type { Summary } from "./summary.ts";
import type { Tally } from "./tally.ts";

const WIDTH = 720;
const HEIGHT = 280;
const MARGIN = { left: 60, right: 28, top: 12, bottom: 44 };
/** Points of a curve: enough for its shape, also near 100 %. */
const CURVE_POINTS = 400;
/** Fewest and most nines of the share that the plot shows: 99 % and 99.99 %. */
const NINES = { least: 2, most: 4 };

interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly number[];
}

/** Returns one page without scripts or other files: the text of the report, plots of the latencies, and the JSON. */
export function htmlReport(title: string, lines: readonly string[], summary: Summary, tally: Tally): string {
  const curves: Curve[] = [
    { name: "final, after the deciding message", colour: "#0969da", values: tally.finals },
    { name: "interim", colour: "#bf8700", values: tally.interims },
    { name: "start", colour: "#1a7f37", values: tally.starts },
    { name: "refusal", colour: "#cf222e", values: tally.refusalTimes },
  ].filter(({ values }) => values.length > 0);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)}</title>
<style>
  :root { color-scheme: light dark }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2rem auto; padding: 0 1rem; color: #1f2328 }
  pre { background: #f6f8fa; padding: 1rem; overflow-x: auto; font-size: 13px }
  h1 { font-size: 1.5rem; line-height: 1.3; overflow-wrap: anywhere }
  svg { width: 100%; height: auto; font-size: 12px }
  .names { display: flex; flex-wrap: wrap; gap: 0 1.5rem; margin: 0; padding: 0; list-style: none }
  .names li::before { content: ""; display: inline-block; width: 1.5rem; height: 3px; margin-right: 0.5rem;
    vertical-align: middle; background: var(--colour) }
  summary { cursor: pointer }
  @media (prefers-color-scheme: dark) {
    body { background: #0d1117; color: #e6edf3 } pre { background: #161b22 } svg text { fill: #e6edf3 }
  }
</style>
<h1>${escape(title)}</h1>
<pre>${escape(lines.join("\n"))}</pre>
<h2>Latency</h2>
<p>How long the fastest 50 %, 90 %, 99 % and so on took at most. Each curve ends at its slowest measurement.</p>
${latencyPlot(curves)}
<details><summary>All numbers</summary><pre>${escape(JSON.stringify(summary, undefined, 2))}</pre></details>
</html>
`;
}

/** A plot of percentiles: the latency on a logarithmic axis, the share by the number of its nines. */
function latencyPlot(curves: readonly Curve[]): string {
  const all = curves.flatMap(({ values }) => values);
  if (all.length === 0) return "<p>No latencies were measured.</p>";
  const most = all.reduce((max, value) => Math.max(max, value), 1);
  const decades = Math.ceil(Math.log10(most)) + 1;
  const longest = Math.max(...curves.map(({ values }) => values.length));
  const nines = Math.min(NINES.most, Math.max(NINES.least, Math.ceil(Math.log10(longest))));
  const right = WIDTH - MARGIN.right;
  const bottom = HEIGHT - MARGIN.bottom;
  /** The place of the share of 1 - 10^-n. */
  const x = (n: number): number => MARGIN.left + (Math.min(n, nines) / nines) * (right - MARGIN.left);
  const y = (latency: number): number => {
    const place = (Math.log10(Math.max(latency, 0.1)) + 1) / decades;
    return bottom - place * (bottom - MARGIN.top);
  };
  const latencies = Array.from({ length: decades + 1 }, (_, i) => 10 ** (i - 1)).map((latency) =>
    gridLine([MARGIN.left, y(latency)], [right, y(latency)], [MARGIN.left - 6, y(latency) + 4, "end"], time(latency)),
  );
  const shares = [0, 0.5, 0.9, 0.99, 0.999, 0.9999].filter((share) => share <= 1 - 10 ** -nines);
  const percents = shares.map((share) => {
    const at = x(-Math.log10(1 - share));
    return gridLine([at, MARGIN.top], [at, bottom], [at, bottom + 16, "middle"], `${share * 100} %`);
  });
  const title = `<text x="${(MARGIN.left + right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">share of measurements</text>`;
  const paths = curves.map(({ colour, values }) => {
    const sorted = Float64Array.from(values).sort();
    const end = Math.min(nines, Math.log10(sorted.length));
    const points = Array.from({ length: CURVE_POINTS + 1 }, (_, i) => {
      const n = (end * i) / CURVE_POINTS;
      const value = sorted[Math.min(sorted.length - 1, Math.floor((1 - 10 ** -n) * sorted.length))] ?? 0;
      return `${x(n).toFixed(1)},${y(value).toFixed(1)}`;
    });
    const [lastX = "0", lastY = "0"] = points.at(-1)?.split(",") ?? [];
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.join(" ")}"/>
      <circle cx="${lastX}" cy="${lastY}" r="3.5" fill="${colour}"/>`;
  });
  const names = curves.map(({ name, colour }) => `<li style="--colour:${colour}">${name}</li>`);
  const parts = [...latencies, ...percents, title, ...paths].join("\n");
  return `<ul class="names">${names.join("")}</ul>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Latency by percentile">\n${parts}\n</svg>`;
}

type Point = readonly [x: number, y: number];

/** A line of the grid and its text. */
function gridLine([x1, y1]: Point, [x2, y2]: Point, [x, y, anchor]: [...Point, string], text: string): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#8884"/>
    <text x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;
}

function time(milliseconds: number): string {
  return milliseconds < 1000 ? `${milliseconds} ms` : `${milliseconds / 1000} s`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
