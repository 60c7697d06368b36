import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { recordedNames } from "./names.ts";

/** Metrics that are not Streamer's: of the process, by prom-client, and of a scrape, by Prometheus. */
export const FOREIGN = /^(?:process|scrape)_/;

const folder = join(import.meta.dir, "..", "..", "..", "deploy", "grafana", "dashboards");

interface Source {
  readonly type: string;
  readonly uid: string;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: Source;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly datasource: Source; readonly expr?: string }[];
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly tags: readonly string[];
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

export const dashboards = new Map<string, Dashboard>();
for (const name of (await readdir(folder)).sort()) {
  dashboards.set(name, (await Bun.file(join(folder, name)).json()) as Dashboard);
}

/** A query of a panel, or of a dashboard variable, to Prometheus. */
export interface Query {
  /** Dashboard, panel or variable, and the id of the query in it. */
  readonly where: string;
  readonly expression: string;
}

/** Returns all Prometheus queries of the dashboards, as Grafana would send them with every variable set to All. */
export function queries(): Query[] {
  return [...dashboards].flatMap(([file, { panels, templating }]) => [
    ...panels.flatMap(({ title, targets = [] }) =>
      targets
        .filter(({ datasource }) => datasource.type === "prometheus")
        .map(({ refId, expr = "" }) => ({ where: `${file}, ${title}, ${refId}`, expression: substitute(expr) })),
    ),
    ...templating.list.flatMap(({ name, definition }) => {
      const series = /^label_values\((.*), \w+\)$/.exec(definition ?? "")?.[1];
      return series === undefined ? [] : [{ where: `${file}, $${name}`, expression: substitute(series) }];
    }),
  ]);
}

/** Returns the names of all metrics in the queries. */
export function usedNames(): Set<string> {
  return new Set(queries().flatMap(({ expression }) => recordedNames(expression)));
}

function substitute(expression: string): string {
  return expression.replaceAll("$__rate_interval", "30s").replaceAll(/"\$(?:job|instance)"/g, '".*"');
}
