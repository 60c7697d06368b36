import { closeSync, fstatSync, openSync, readSync } from "node:fs";

import { messageOf } from "../lib/thrown.ts";
import { type Keyring, KeyringError, parseKeyring } from "./keyring.ts";

/** Largest file of keys, bytes. */
const MAX_FILE_BYTES = 65_536;
/** Permission of every user to write. */
const OTHERS_WRITE = 0o002;

/**
 * Reads the keys of the deployment. Throws KeyringError, whose message names the setting.
 * @param path `auth.secret_file`; none: there are no keys
 */
export function readKeyring(path: string): Keyring | undefined {
  if (path === "none") return undefined;
  try {
    return parseKeyring(readText(path), path);
  } catch (error) {
    throw new KeyringError(`auth.secret_file: ${messageOf(error)}`);
  }
}

/** Reads a file, or a pipe, of limited size. */
function readText(path: string): string {
  const file = openSync(path, "r");
  try {
    const { mode } = fstatSync(file);
    if ((mode & OTHERS_WRITE) !== 0) {
      const found = `found mode ${(mode & 0o777).toString(8)}, so that every user could add a key`;
      throw new KeyringError(`${path}: ${found}; allowed: chmod o-w`);
    }
    const bytes = Buffer.alloc(MAX_FILE_BYTES + 1);
    let length = 0;
    for (let read = 1; read > 0 && length < bytes.length; length += read) {
      read = readSync(file, bytes, length, bytes.length - length, null);
    }
    if (length > MAX_FILE_BYTES) throw new KeyringError(`${path}: found more than ${MAX_FILE_BYTES} bytes`);
    return bytes.toString("utf8", 0, length);
  } finally {
    closeSync(file);
  }
}
