import { readdir } from "node:fs/promises";
import { join } from "node:path";

import { root } from "../documents.ts";

const folder = join(root, "deploy", "helm");
export const chart = join(folder, "streamer");

/** An object of Kubernetes, as far as all have the same. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

export type Values = Record<string, unknown>;

/** The chart with its defaults, or with a file of examples/. */
export interface Rendering {
  readonly name: string;
  /** The file of values; undefined: the defaults alone. */
  readonly file: string | undefined;
  /** All values, with the defaults. */
  readonly values: Values;
  /** Its objects, as they are committed. */
  readonly objects: readonly KubernetesObject[];
}

/** Parses a file of YAML that is in the repository, with one object. */
export async function parsed<Content>(...path: readonly string[]): Promise<Content> {
  return Bun.YAML.parse(await Bun.file(join(...path)).text()) as Content;
}

/** Parses what helm prints: objects, each in a document. */
export function parseObjects(text: string): KubernetesObject[] {
  const documents = text.split(/^---$/m).map((document) => Bun.YAML.parse(document) as KubernetesObject | null);
  return documents.filter((document) => document !== null);
}

/** Puts values over others, objects key by key, as helm does. */
export function merged(values: Values, over: Values): Values {
  const isObject = (value: unknown): value is Values =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  const both = Object.entries(over).map(([key, value]) => {
    const below = values[key];
    return [key, isObject(value) && isObject(below) ? merged(below, value) : value];
  });
  return { ...values, ...Object.fromEntries(both) };
}

/** All files of deploy/helm/rendered, each with its values. */
export async function renderings(): Promise<Rendering[]> {
  const defaults = await parsed<Values>(chart, "values.yaml");
  const names = (await readdir(join(folder, "examples"))).sort();
  return await Promise.all(
    ["default.yaml", ...names].map(async (name) => {
      const file = name === "default.yaml" ? undefined : join(folder, "examples", name);
      const values = file === undefined ? defaults : merged(defaults, await parsed<Values>(file));
      const text = await Bun.file(join(folder, "rendered", name)).text();
      return { name, file, values, objects: parseObjects(text) };
    }),
  );
}
