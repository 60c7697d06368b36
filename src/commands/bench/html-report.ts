import type { Summary } from "./summary.ts";
import type { Tally } from "./tally.ts";

const WIDTH = 720;
const HEIGHT = 260;
const MARGIN = { left: 56, right: 16, top: 12, bottom: 40 };
/** Points of a curve: enough for its shape, also near 100 %. */
const CURVE_POINTS = 400;

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
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 760px; margin: 2rem auto; padding: 0 1rem; color: #1f2328 }
  pre { background: #f6f8fa; padding: 1rem; overflow-x: auto; font-size: 13px }
  svg { width: 100%; height: auto; font-size: 12px }
  @media (prefers-color-scheme: dark) {
    body { background: #0d1117; color: #e6edf3 } pre { background: #161b22 } svg text { fill: #e6edf3 }
  }
</style>
<h1>${escape(title)}</h1>
<pre>${escape(lines.join("\n"))}</pre>
<h2>Latency</h2>
<p>The share of the results that took at most so long. The scale of the share makes the slowest results visible.</p>
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
  const nines = 4;
  const x = (share: number): number => {
    const place = Math.min(nines, -Math.log10(Math.max(1 - share, 10 ** -nines)));
    return MARGIN.left + (place / nines) * (WIDTH - MARGIN.left - MARGIN.right);
  };
  const y = (latency: number): number => {
    const place = (Math.log10(Math.max(latency, 0.1)) + 1) / decades;
    return HEIGHT - MARGIN.bottom - place * (HEIGHT - MARGIN.top - MARGIN.bottom);
  };
  const grid = Array.from({ length: decades + 1 }, (_, i) => 10 ** (i - 1)).map(
    (latency) => `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(latency)}" y2="${y(latency)}"
      stroke="#8884"/><text x="${MARGIN.left - 6}" y="${y(latency) + 4}" text-anchor="end">${latency} ms</text>`,
  );
  const shares = [0, 0.5, 0.9, 0.99, 0.999, 0.9999].map(
    (share) => `<text x="${x(share)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${share * 100} %</text>`,
  );
  const paths = curves.map(({ colour, values }) => {
    const sorted = Float64Array.from(values).sort();
    const points = Array.from({ length: CURVE_POINTS + 1 }, (_, i) => {
      const share = 1 - 10 ** ((-nines * i) / CURVE_POINTS);
      const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
      return `${x(share).toFixed(1)},${y(value).toFixed(1)}`;
    });
    return `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.join(" ")}"/>`;
  });
  const names = curves.map(
    ({ name, colour }, i) =>
      `<text x="${MARGIN.left + 8}" y="${MARGIN.top + 12 + i * 16}" fill="${colour}" style="fill:${colour}">${name}</text>`,
  );
  const parts = [...grid, ...shares, ...paths, ...names].join("\n");
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Latency by percentile">\n${parts}\n</svg>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
