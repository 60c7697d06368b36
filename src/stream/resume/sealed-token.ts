import { createCipheriv, createDecipheriv, createHmac, randomBytes } from "node:crypto";

import type { Keyring } from "../../auth/keyring.ts";

/** Version of the form of a token, and of the state in it. */
const VERSION = 1;
const PURPOSE = "resume token, version 1";
const STREAM_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = "aes-256-gcm";

/** The content of a token that is authentic: of this deployment, and of this caller. */
export interface OpenedToken {
  /** Id of the stream. It stays the same however often the stream goes on elsewhere. */
  readonly stream: Uint8Array;
  readonly content: Uint8Array<ArrayBuffer>;
}

/** Returns a new id of a stream: 128 random bits. */
export function newStreamId(): Uint8Array {
  return new Uint8Array(randomBytes(STREAM_BYTES));
}

/**
 * Seals the tokens of one stream (AES-256-GCM). Each stream has a key of its own, so that random nonces do not repeat
 * however many tokens a deployment makes.
 *
 * A token is base64url of: version, length and bytes of the id of the key, id of the stream, nonce, content, tag.
 */
export class TokenSealer {
  readonly #head: Buffer;
  readonly #key: Buffer;
  readonly #caller: string;

  /** @param caller who alone can use the tokens */
  constructor(keyring: Keyring, stream: Uint8Array, caller: string) {
    const { id, derive } = keyring.current;
    this.#head = headOf(id, stream);
    this.#key = streamKey(derive(PURPOSE), stream);
    this.#caller = caller;
  }

  seal(content: Uint8Array): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce);
    cipher.setAAD(bound(this.#head, this.#caller));
    const sealed = [this.#head, nonce, cipher.update(content), cipher.final()];
    return Buffer.concat([...sealed, cipher.getAuthTag()]).toString("base64url");
  }
}

/** Opens a token. Returns undefined for one that is malformed, damaged, of other keys or of another caller. */
export function openToken(keyring: Keyring, token: string, caller: string): OpenedToken | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(token)) return undefined;
  const bytes = Buffer.from(token, "base64url");
  const idLength = bytes[1] ?? 0;
  const headLength = 2 + idLength + STREAM_BYTES;
  if (bytes[0] !== VERSION || bytes.length < headLength + NONCE_BYTES + TAG_BYTES) return undefined;
  const key = keyring.find(bytes.toString("latin1", 2, 2 + idLength));
  if (key === undefined) return undefined;
  const head = bytes.subarray(0, headLength);
  const stream = new Uint8Array(head.subarray(2 + idLength));
  const nonce = bytes.subarray(headLength, headLength + NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, streamKey(key.derive(PURPOSE), stream), nonce);
  decipher.setAAD(bound(head, caller));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    const content = decipher.update(bytes.subarray(headLength + NONCE_BYTES, bytes.length - TAG_BYTES));
    return { stream, content: new Uint8Array(Buffer.concat([content, decipher.final()])) };
  } catch {
    return undefined;
  }
}

function headOf(keyId: string, stream: Uint8Array): Buffer {
  return Buffer.concat([Buffer.of(VERSION, keyId.length), Buffer.from(keyId, "latin1"), stream]);
}

function streamKey(key: Uint8Array, stream: Uint8Array): Buffer {
  return createHmac("sha256", key).update(stream).digest();
}

function bound(head: Buffer, caller: string): Buffer {
  return Buffer.concat([head, Buffer.from(caller, "utf8")]);
}
