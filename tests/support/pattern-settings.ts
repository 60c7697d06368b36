import { SETTINGS } from "../../src/config/config.ts";
import type { Pattern } from "../../src/pipeline/pattern.ts";

const SECTIONS: Readonly<Record<string, Readonly<Record<string, { default: unknown; min?: number }>>>> = SETTINGS;

/**
 * The section of a pattern with settings that make its jobs short: the least value of each number, but the default
 * where voice activity decides. `overrides` may have keys that the section does not have, which are left out.
 */
export function shortSection(pattern: Pattern, overrides: object = {}): object {
  const { [pattern.section]: table = {} } = SECTIONS;
  const values = Object.entries(table).map(([key, { default: value, min = value }]) => {
    return [key, pattern.usesVad ? value : min] as const;
  });
  const known = Object.entries(overrides).filter(([key, value]) => Object.hasOwn(table, key) && value !== undefined);
  return Object.fromEntries([...values, ...known]);
}
