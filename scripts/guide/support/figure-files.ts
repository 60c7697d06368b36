// The files of a figure: docs/guide/figures/NAME.json has its data, NAME.svg is drawn from them.

import { createHash } from "node:crypto";
import { join } from "node:path";

export const FIGURES = join(import.meta.dir, "..", "..", "..", "docs", "guide", "figures");

/** Where and when the rows of a figure were measured. */
export interface Origin {
  readonly title: string;
  readonly command: string;
  /** Such as 2026-11-27. */
  readonly date: string;
  /** The last commit that changed the program. */
  readonly commit: string;
  readonly processor: string;
  readonly cores: number;
  /** Load averages over one minute. */
  readonly load: { readonly before: number; readonly after: number };
}

export interface FigureData extends Origin {
  readonly rows: readonly object[];
}

export function dataPath(name: string): string {
  return join(FIGURES, `${name}.json`);
}

export function svgPath(name: string): string {
  return join(FIGURES, `${name}.svg`);
}

export async function writeData(name: string, { rows, ...origin }: FigureData): Promise<void> {
  const head = Object.entries(origin).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`);
  const lines = rows.map((row) => `    ${JSON.stringify(row)}`).join(",\n");
  await Bun.write(dataPath(name), `{\n${head.join("")}  "rows": [\n${lines}\n  ]\n}\n`);
}

/** Returns the data, and what a picture that is drawn from them is marked with. */
export async function readData(name: string): Promise<{ data: FigureData; mark: string }> {
  const text = await Bun.file(dataPath(name)).text();
  const hash = createHash("sha256").update(text).digest("hex");
  return { data: JSON.parse(text) as FigureData, mark: `Drawn from ${name}.json, SHA-256 ${hash}` };
}
