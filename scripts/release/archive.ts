// Archives that are the same for the same content.

import { writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";

import { run } from "./command.ts";

/**
 * Writes a `.tar.gz` of a folder, with the name of the folder as its only entry at the top. Names are sorted; owners are
 * 0; modes are 0755 for folders and programs and 0644 for others; no time but `time` is in it. The bytes depend on the
 * content and the version of Bun only.
 * @param time of each entry, in seconds since 1970
 */
export async function writeArchive(folder: string, output: string, time: number): Promise<void> {
  const tar = `${output}.tar`;
  await run([
    "tar",
    "--create",
    `--file=${tar}`,
    "--format=ustar",
    "--sort=name",
    `--mtime=@${time}`,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--mode=u=rwX,go=rX",
    `--directory=${dirname(folder)}`,
    basename(folder),
  ]);
  try {
    await writeFile(output, Bun.gzipSync(await Bun.file(tar).bytes(), { level: 9 }));
  } finally {
    await Bun.file(tar).delete();
  }
}
