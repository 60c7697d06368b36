import { constants } from "node:fs";
import { open } from "node:fs/promises";

import { describeValue } from "./excerpt.ts";
import { codeOf, messageOf } from "./thrown.ts";

/** Largest file that is read: bundles of all public authorities have 250 KiB. */
export const MAX_PEM_BYTES = 1024 * 1024;

/** A fault of a file or its content, as the end of a message: `found X; allowed: Y`. */
export class PemFault extends Error {
  override readonly name = "PemFault";

  constructor(found: string, allowed: string) {
    super(`found ${found}; allowed: ${allowed}`);
  }
}

/** The kinds of PEM blocks that are looked for. */
export type PemKind = "certificate" | "private key";

const LABELS: Readonly<Record<PemKind, RegExp>> = {
  certificate: /^(?:X509 |TRUSTED )?CERTIFICATE$/,
  // PKCS #8, then the older forms of RSA and elliptic curves. Also that of an encrypted key.
  "private key": /^(?:[A-Z]+ )*PRIVATE KEY$/,
};

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** Returns the blocks of one kind in a text, in order. Other blocks and the text between them are passed over. */
export function pemBlocks(text: string, kind: PemKind): string[] {
  return [...text.matchAll(BLOCK)].filter(([, label = ""]) => LABELS[kind].test(label)).map(([block]) => `${block}\n`);
}

/**
 * Reads the blocks of one kind from a file. Throws PemFault when it cannot be read or has none. Pipes are refused, and
 * not waited for: a file must be readable again and again.
 */
export async function readPemFile(path: string, kind: PemKind): Promise<string[]> {
  const name = describeValue(path);
  const allowed = `a file with a ${kind} in PEM`;
  const bytes = await readBytes(path, name, allowed);
  const text = new TextDecoder().decode(bytes);
  const blocks = pemBlocks(text, kind);
  if (blocks.length > 0) return blocks;
  if (bytes.length === 0) throw new PemFault(`${name}, which is empty`, allowed);
  const other: PemKind = kind === "certificate" ? "private key" : "certificate";
  if (pemBlocks(text, other).length > 0) throw new PemFault(`${name}, which has a ${other} and no ${kind}`, allowed);
  // A sequence in DER, whose length takes two bytes more.
  const isDer = bytes[0] === 0x30 && bytes[1] === 0x82;
  throw new PemFault(`${name}, which ${isDer ? "is in DER" : `has no ${kind}`}`, allowed);
}

async function readBytes(path: string, name: string, allowed: string): Promise<Uint8Array> {
  try {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (stat.isDirectory()) throw new PemFault(`${name}, which is a directory`, allowed);
    if (!stat.isFile()) throw new PemFault(`${name}, which is no regular file`, allowed);
    if (stat.size > MAX_PEM_BYTES)
      throw new PemFault(`${name} of ${stat.size} bytes`, `at most ${MAX_PEM_BYTES} bytes`);
    return await file.readFile();
  } catch (error) {
    if (error instanceof PemFault) throw error;
    throw new PemFault(
      `${name}, which ${READ_FAULTS[codeOf(error) ?? ""] ?? `cannot be read: ${messageOf(error)}`}`,
      allowed,
    );
  }
}

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist",
  EACCES: "this user may not read",
  EPERM: "this user may not read",
  ELOOP: "is a symbolic link to itself",
};
