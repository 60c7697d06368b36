import { closeSync, openSync, readSync } from "node:fs";

import { type Keyring, KeyringError, parseKeyring } from "../auth/keyring.ts";
import { messageOf } from "../lib/thrown.ts";
import { Resumption } from "../stream/resume/resumption.ts";
import type { Services } from "../stream/services.ts";

/** Largest file of keys, bytes. */
const MAX_FILE_BYTES = 65_536;

/**
 * Reads the keys of the deployment, and adds what resumes streams with them, unless streams cannot be resumed. Throws
 * KeyringError, whose message names the setting.
 */
export function withResumption(services: Services): Services {
  const { auth, limits } = services.config;
  const path = auth.secret_file;
  const keyring = path === "none" ? undefined : readKeyring(path);
  if (limits.resume_ms === 0) return services;
  if (keyring !== undefined) return { ...services, resumption: new Resumption(keyring, limits.resume_ms) };
  const message = `limits.resume_ms is ${limits.resume_ms}, but streams cannot be resumed without auth.secret_file`;
  services.log.warn("setting_ignored", { message });
  return services;
}

function readKeyring(path: string): Keyring {
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
