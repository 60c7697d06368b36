import { afterAll, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { worldReadableMode, worldWritableMode } from "../../src/lib/world-readable.ts";

const root = mkdtempSync(join(tmpdir(), "streamer-readable-"));
afterAll(() => rmSync(root, { recursive: true }));
const folder = join(root, "secrets");
const file = join(folder, "key");
const ROOT = "24 1 0:21 / / rw,relatime - ext4 /dev/vda1 rw";

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  writeFileSync(file, "secret");
  for (const each of [root, folder]) chmodSync(each, 0o755);
  chmodSync(file, 0o644);
});

test("a file that every user may read is found by its mode; the permission of a group does not count", () => {
  expect(worldReadableMode(file)).toBe("0644");
  for (const mode of [0o600, 0o400, 0o640, 0o440, 0o660]) {
    chmodSync(file, mode);
    expect([mode.toString(8), worldReadableMode(file)]).toEqual([mode.toString(8), undefined]);
  }
  chmodSync(file, 0o404);
  expect(worldReadableMode(file)).toBe("0404");
});

test("a file in a folder that others cannot open is not readable for them, however its path leads there", () => {
  const link = join(root, "link");
  rmSync(link, { force: true });
  symlinkSync(file, link);
  expect(worldReadableMode(link)).toBe("0644");
  chmodSync(folder, 0o700);
  expect([worldReadableMode(file), worldReadableMode(link)]).toEqual([undefined, undefined]);
  chmodSync(folder, 0o711);
  expect(worldReadableMode(file)).toBe("0644");
  chmodSync(root, 0o750);
  expect(worldReadableMode(file)).toBeUndefined();
});

test("a file or folder that every user may write to is found by its mode, unless it is mounted read-only", () => {
  expect([worldWritableMode(file), worldWritableMode(folder)]).toEqual([undefined, undefined]);
  chmodSync(file, 0o666);
  // Also with the sticky bit others may add files.
  chmodSync(folder, 0o1777);
  expect([worldWritableMode(file), worldWritableMode(folder)]).toEqual(["0666", "1777"]);
  const mounts = `${ROOT}\n36 24 0:40 / ${folder} ro,relatime - tmpfs tmpfs rw\n`;
  expect([worldWritableMode(file, mounts), worldWritableMode(folder, mounts)]).toEqual([undefined, undefined]);
  chmodSync(root, 0o700);
  expect([worldWritableMode(file), worldWritableMode(folder)]).toEqual([undefined, undefined]);
});

test("a secret that a container has mounted read-only is not found, be it the file, its folder or one above", () => {
  const mount = (point: string, options = "ro,relatime") =>
    `88 24 0:55 / ${point} ${options} - tmpfs tmpfs rw,size=64k`;
  for (const point of [file, folder, root]) {
    expect([point, worldReadableMode(file, `${ROOT}\n${mount(point)}\n`)]).toEqual([point, undefined]);
    expect([point, worldReadableMode(file, `${ROOT}\n${mount(point, "rw")}\n`)]).toEqual([point, "0644"]);
  }
  // A mount beside it, one with a similar name, one that is mounted over by another.
  for (const other of [join(root, "other"), `${folder}-2`, file.slice(0, -1)]) {
    expect(worldReadableMode(file, `${ROOT}\n${mount(other)}\n`)).toBe("0644");
  }
  expect(worldReadableMode(file, [ROOT, mount(root), mount(folder, "rw")].join("\n"))).toBe("0644");
  expect(worldReadableMode(file, [ROOT, mount(folder, "rw"), mount(root)].join("\n"))).toBe("0644");
  expect(worldReadableMode(file, [ROOT, mount(folder), mount(folder, "rw")].join("\n"))).toBe("0644");
  expect(worldReadableMode(file, "")).toBe("0644");
});

test("a mount whose name has spaces is recognised", () => {
  const spaced = join(root, "with space");
  mkdirSync(spaced, { recursive: true });
  writeFileSync(join(spaced, "key"), "", { mode: 0o644 });
  const mount = `88 24 0:55 / ${spaced.replace(" ", "\\040")} ro - tmpfs tmpfs rw`;
  expect(worldReadableMode(join(spaced, "key"), `${ROOT}\n${mount}`)).toBeUndefined();
});

test("what is no file has no mode", () => {
  for (const path of [join(folder, "missing"), "/proc/self/fd/999", `${file}/below`]) {
    expect(worldReadableMode(path)).toBeUndefined();
  }
});
