import { join } from "node:path";

import { root } from "./documents.ts";

/**
 * Where tests keep between runs what they install or build: the folder that `STREAMER_KEPT` names, which clones may share,
 * or else one in this clone.
 */
export const KEPT = process.env["STREAMER_KEPT"] || join(root, "node_modules", ".cache");

/** Path of such a file or folder. Its name has a hash of everything that it is made of. */
export function keptPath(name: string): string {
  return join(KEPT, name);
}
