import type { Pattern } from "./pattern.ts";
import { segmented } from "./segmented.ts";
import { simple } from "./simple.ts";
import { stateful } from "./stateful.ts";

/** The patterns by name. */
export const PATTERNS: Readonly<Record<string, Pattern>> = { simple, stateful, segmented };
