// Figures for `bun run bench table`, which runs other benchmarks and reads what they found.

import { appendFileSync } from "node:fs";

/** Name of the environment variable with the path of the file that figures are added to. */
export const FIGURES_FILE = "STREAMER_BENCH_FIGURES";

/** Reports a figure to `table`, when it has started this benchmark. */
export function reportFigure(name: string, value: number): void {
  const path = process.env[FIGURES_FILE];
  if (path !== undefined) appendFileSync(path, `${JSON.stringify({ name, value })}\n`);
}

/** Reads the figures in a file. */
export async function readFigures(path: string): Promise<ReadonlyMap<string, number>> {
  const lines = (await Bun.file(path).text()).trim().split("\n").filter(Boolean);
  return new Map(
    lines.map((line) => {
      const { name, value } = JSON.parse(line) as { name: string; value: number | null };
      // JSON has no NaN.
      return [name, value ?? NaN];
    }),
  );
}
