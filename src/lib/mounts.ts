import { readSystemText } from "./system-text.ts";

/** Returns the mounts of this process, as /proc/self/mountinfo has them; empty where there is no such file. */
export function readMounts(): string {
  return readSystemText("/proc/self/mountinfo") ?? "";
}

/**
 * Returns the options of the mount that a file or folder is on, such as `ro` and `noexec`; empty: it is not known.
 * @param file an absolute path without symbolic links
 * @param mounts as `readMounts` returns them
 */
export function mountOptions(file: string, mounts: string): readonly string[] {
  let longest = "";
  let options: readonly string[] = [];
  for (const line of mounts.split("\n")) {
    const [, , , , point = "", own = ""] = line.split(" ");
    const folder = point.replaceAll(/\\([0-7]{3})/g, (_, code: string) =>
      String.fromCharCode(Number.parseInt(code, 8)),
    );
    const holds = folder === "/" || folder === file || file.startsWith(`${folder}/`);
    // Of several mounts at one place the last one is seen.
    if (folder === "" || !holds || folder.length < longest.length) continue;
    longest = folder;
    options = own.split(",");
  }
  return options;
}
