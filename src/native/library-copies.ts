import { dlopen } from "bun:ffi";
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdtempSync,
  openSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/* Of memfd_create(2) and fcntl(2) on Linux. */
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
/** No change of content, size or seals. */
const ALL_SEALS = 15;

/** A file that the dynamic linker can open until it is disposed. What is open by then stays open. */
export interface LibraryCopy extends Disposable {
  readonly path: string;
}

/**
 * Writes a library to anonymous memory (memfd) that nobody can change any more, not even this process. It has no name in
 * any file system, so nobody can put another file in its place, and a process that is killed leaves nothing behind.
 * Throws when the system has no such memory or no /proc.
 */
export function copyToMemory(library: Uint8Array): LibraryCopy {
  const { memfd_create, fcntl } = dlopen("libc.so.6", {
    memfd_create: { args: ["buffer", "u32"], returns: "i32" },
    fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  }).symbols;
  const fd = memfd_create(Buffer.from("streamer-library\0"), MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) throw new Error("memfd_create is not allowed");
  const copy = { path: `/proc/self/fd/${fd}`, [Symbol.dispose]: () => closeSync(fd) };
  try {
    writeAll(fd, library);
    if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) !== 0) throw new Error("the memory cannot be sealed");
    if (statSync(copy.path).size !== library.length) throw new Error("/proc shows another file");
    return copy;
  } catch (error) {
    copy[Symbol.dispose]();
    throw error;
  }
}

/**
 * Writes a library to a new folder that only this user can open. Its name cannot be guessed, and neither it nor the file
 * in it is opened if it exists already or is a symbolic link. Both are removed when the copy is disposed. Throws when
 * another user could replace the folder.
 * @param parent absolute path of the temporary folder
 */
export function copyToFolder(library: Uint8Array, parent: string): LibraryCopy {
  checkParent(parent);
  const folder = mkdtempSync(join(parent, "streamer-library-"));
  const copy = {
    path: join(folder, "libstreamer_audio.so"),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
  try {
    const made = lstatSync(folder);
    if (!made.isDirectory() || !isPrivate(made)) throw new Error(`${folder} is not a private folder of this user`);
    const fd = openSync(copy.path, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600);
    try {
      if (!isPrivate(fstatSync(fd))) throw new Error(`${copy.path} is not a private file of this user`);
      writeAll(fd, library);
    } finally {
      closeSync(fd);
    }
    return copy;
  } catch (error) {
    copy[Symbol.dispose]();
    throw error;
  }
}

/** Throws when another user than root may rename what this user creates in the folder. */
function checkParent(parent: string): void {
  const { uid, mode } = statSync(parent);
  if (uid !== 0 && uid !== user()) throw new Error("it belongs to another user");
  if ((mode & 0o022) !== 0 && (mode & 0o1000) === 0) throw new Error("others may rename files in it (no sticky bit)");
}

function isPrivate({ uid, mode }: Stats): boolean {
  return uid === user() && (mode & 0o077) === 0;
}

function user(): number | undefined {
  return process.geteuid?.();
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
}
