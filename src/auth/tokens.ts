import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";

import { type Grant, isExpired } from "./grant.ts";
import { hashToken } from "./token.ts";

const NO_HASH = Buffer.alloc(32);

/**
 * The tokens that are valid. They are found by a keyed digest of their hash, so that the time of a search depends on
 * nothing that a client could choose or learn from, whether there is such a token or not.
 */
export class Tokens {
  readonly #key = randomBytes(32);
  readonly #byDigest = new Map<string, Grant>();
  readonly #hashes = new Map<string, Grant>();

  constructor(grants: readonly Grant[]) {
    for (const grant of grants) {
      this.#byDigest.set(this.#digest(Buffer.from(grant.hash, "hex")), grant);
      this.#hashes.set(grant.hash, grant);
    }
  }

  get size(): number {
    return this.#hashes.size;
  }

  get grants(): Iterable<Grant> {
    return this.#hashes.values();
  }

  /** Returns what a token allows or, if it has expired, did allow; undefined: it is unknown. */
  find(token: string): Grant | undefined {
    const hash = hashToken(token);
    const grant = this.#byDigest.get(this.#digest(hash));
    const isEqual = timingSafeEqual(hash, grant === undefined ? NO_HASH : Buffer.from(grant.hash, "hex"));
    return isEqual ? grant : undefined;
  }

  /** Returns true if there is a token with this hash, expired or not. */
  has(hash: string): boolean {
    return this.#hashes.has(hash);
  }

  /** Returns the grant of a hash that was found before; undefined: it is not valid any more. */
  holds(hash: string, now: number): Grant | undefined {
    const grant = this.#hashes.get(hash);
    return grant === undefined || isExpired(grant, now) ? undefined : grant;
  }

  /** Returns the first grant of a principal that is valid and not for operators. Names are no secrets. */
  named(name: string, now: number): Grant | undefined {
    return this.#hashes.values().find((grant) => grant.name === name && !grant.admin && !isExpired(grant, now));
  }

  #digest(hash: Uint8Array): string {
    return createHmac("sha256", this.#key).update(hash).digest("base64");
  }
}
