// Measures and draws the figures of the guide: `bun run guide:plots [NAME ...] [--redraw]`. Each is one file in
// scripts/guide/plots/. The data go to docs/guide/figures/NAME.json, the drawing to NAME.svg. Without names, all are
// measured one after the other. --redraw draws from the data that are there, which gives the same bytes as before.

import { mkdtempDisposable, readdir } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { buildExecutable } from "../build.ts";
import { Drawing } from "./support/drawing.ts";
import { type FigureData, readData, svgPath, writeData } from "./support/figure-files.ts";
import type { Plot } from "./support/plot.ts";

const root = join(import.meta.dir, "..", "..");
const folder = join(import.meta.dir, "plots");

/** Names of all figures, sorted. */
export async function plotNames(): Promise<string[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith(".ts"));
  return files.map((file) => file.replace(/\.ts$/, "")).sort();
}

export async function loadPlot(name: string): Promise<Plot> {
  return ((await import(join(folder, `${name}.ts`))) as { default: Plot }).default;
}

async function measure(name: string, plot: Plot): Promise<void> {
  const executable = await buildExecutable();
  await using scratch = await mkdtempDisposable(join(tmpdir(), "streamer-figure-"));
  const before = load();
  const rows = await plot.measure({ executable, root, scratch: scratch.path });
  const data: FigureData = {
    title: plot.title,
    command: `bun run guide:plots ${name}`,
    date: new Date().toISOString().slice(0, 10),
    commit: programCommit(),
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    load: { before, after: load() },
    rows,
  };
  await writeData(name, data);
}

function load(): number {
  return Math.round(loadavg()[0]! * 10) / 10;
}

/** The last commit that changed the program; "unknown" without a Git repository. */
function programCommit(): string {
  const log = Bun.spawnSync(["git", "log", "-1", "--format=%h", "--", "src", "native"], {
    cwd: root,
    stderr: "ignore",
  });
  return log.success ? log.stdout.toString().trim() : "unknown";
}

/** Draws a figure from its data and returns the SVG. */
export async function drawn(drawing: Drawing, name: string): Promise<string> {
  const [plot, { data, mark }] = await Promise.all([loadPlot(name), readData(name)]);
  return await drawing.draw(data.title, data.rows, plot.draw(data.rows), mark);
}

async function main(args: string[]): Promise<number> {
  const known = await plotNames();
  const usage = (problem: string): number => {
    console.error(`${problem}\nusage: bun run guide:plots [NAME ...] [--redraw]\nfigures: ${known.join(", ")}`);
    return 2;
  };
  let redraw: boolean;
  let names: string[];
  try {
    const parsed = parseArgs({
      args,
      allowPositionals: true,
      options: { redraw: { type: "boolean", default: false } },
    });
    [redraw, names] = [parsed.values.redraw, parsed.positionals];
  } catch (error) {
    return usage((error as Error).message);
  }
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) return usage(`unknown figure ${unknown.join(", ")}`);
  const drawing = await Drawing.load();
  let failed = 0;
  for (const name of names.length === 0 ? known : names) {
    const begun = performance.now();
    try {
      if (!redraw) await measure(name, await loadPlot(name));
      await Bun.write(svgPath(name), await drawn(drawing, name));
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      console.log(`${name}: ${redraw ? "drawn" : "measured and drawn"} in ${seconds} s`);
    } catch (error) {
      // The others are still worth their time.
      failed++;
      console.error(`${name}: failed and left as it was: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
