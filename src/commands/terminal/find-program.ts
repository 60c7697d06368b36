import { delimiter, isAbsolute } from "node:path";

/**
 * Finds a program on a PATH. Only absolute folders count: another would let the current folder, such as one of downloads,
 * say what runs.
 */
export function findProgram(name: string, path = process.env["PATH"] ?? ""): string | null {
  const folders = path.split(delimiter).filter((folder) => isAbsolute(folder));
  return folders.length === 0 ? null : Bun.which(name, { PATH: folders.join(delimiter) });
}
