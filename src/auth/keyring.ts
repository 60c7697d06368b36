import { hkdfSync } from "node:crypto";

/** Most keys of one file. */
const MAX_KEYS = 16;
const MIN_SECRET_BYTES = 32;
const MAX_SECRET_BYTES = 128;
const KEY_ID = /^[A-Za-z0-9._-]{1,32}$/;
const ID_ALLOWED = "an id of 1 to 32 letters, digits, dots, hyphens and underscores";
const SECRET_ALLOWED = `${MIN_SECRET_BYTES} to ${MAX_SECRET_BYTES} random bytes in base64 or hexadecimal digits`;

/** A secret that all servers of a deployment share. */
export interface SecretKey {
  readonly id: string;
  /** Returns a key of 32 bytes that only this purpose has. */
  derive(purpose: string): Uint8Array;
}

/** A file of keys is not valid. The message has no secret in it. */
export class KeyringError extends Error {
  override readonly name = "KeyringError";
}

/**
 * The keys of a deployment. The first one of the file is used for what is new; all of them are accepted. To change a
 * key, add the new one behind the old one on every server, then move it to the front, then remove the old one.
 */
export class Keyring {
  readonly current: SecretKey;
  readonly #keys: ReadonlyMap<string, SecretKey>;

  /** @param keys one or more */
  constructor(keys: readonly [SecretKey, ...SecretKey[]]) {
    [this.current] = keys;
    this.#keys = new Map(keys.map((key) => [key.id, key]));
  }

  /** All keys, the current one first. */
  get keys(): readonly [SecretKey, ...SecretKey[]] {
    return [this.current, ...[...this.#keys.values()].filter((key) => key !== this.current)];
  }

  find(id: string): SecretKey | undefined {
    return this.#keys.get(id);
  }
}

/**
 * Parses a file of keys: one a line, an id and a secret with space between them. Empty lines, and lines that begin with
 * #, are left out. Throws KeyringError. @param file its name, for messages
 */
export function parseKeyring(text: string, file: string): Keyring {
  const keys = new Map<string, SecretKey>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line.trim().split(/\s+/);
    if (words[0] === "" || words[0]?.startsWith("#") === true) continue;
    const refuse = (problem: string) => new KeyringError(`${file}:${index + 1}: ${problem}`);
    const [id = "", secret, ...more] = words;
    if (secret === undefined || more.length > 0) {
      throw refuse(`found ${words.length === 1 ? "one word" : `${words.length} words`}; allowed: an id and a secret`);
    }
    // A secret that stands in the place of the id must not be printed.
    if (!KEY_ID.test(id)) throw refuse(`id: found ${id.length} characters; allowed: ${ID_ALLOWED}`);
    if (keys.has(id)) throw refuse(`id: found "${id}" again; allowed: an id of its own for each key`);
    const bytes = decode(secret);
    const found = bytes === undefined ? "other characters" : `${bytes.length} bytes`;
    if (bytes === undefined || bytes.length < MIN_SECRET_BYTES || bytes.length > MAX_SECRET_BYTES) {
      throw refuse(`secret: found ${found}; allowed: ${SECRET_ALLOWED}`);
    }
    keys.set(id, secretKey(id, bytes));
  }
  const [first, ...rest] = keys.values();
  if (first === undefined) throw new KeyringError(`${file}: found no key; allowed: one or more lines "ID SECRET"`);
  if (keys.size > MAX_KEYS) {
    throw new KeyringError(`${file}: found ${keys.size} keys; allowed: at most ${MAX_KEYS}`);
  }
  return new Keyring([first, ...rest]);
}

function secretKey(id: string, secret: Uint8Array): SecretKey {
  return { id, derive: (purpose) => new Uint8Array(hkdfSync("sha256", secret, "streamer", purpose, 32)) };
}

function decode(secret: string): Uint8Array | undefined {
  if (/^[0-9a-fA-F]+$/.test(secret) && secret.length % 2 === 0) return new Uint8Array(Buffer.from(secret, "hex"));
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(secret)) return undefined;
  return new Uint8Array(Buffer.from(secret, "base64"));
}
