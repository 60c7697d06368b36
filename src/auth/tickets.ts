import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";

import type { Use, UsedTickets } from "./used-tickets.ts";

/** Milliseconds for which a ticket is valid. */
export const TICKET_MS = 30_000;
/**
 * Milliseconds for which a used ticket is remembered: longer than it is valid, in case the clock is set back a little.
 */
export const TICKET_MEMORY_MS = 2 * TICKET_MS;

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const TIME_BYTES = 6;
const HASH_BYTES = 32;
const TICKET_BYTES = NONCE_BYTES + TIME_BYTES + HASH_BYTES + TAG_BYTES;
/** Length of a ticket, base64url without padding. */
const TICKET_CHARACTERS = Math.ceil((TICKET_BYTES * 4) / 3);

/** A ticket that was used now, for the first time: the hash of the token that it stands for. */
export interface UsedTicket {
  readonly hash: string;
}

/**
 * Issues tickets and uses them. A ticket is sealed with the secret of the server and stored nowhere: nonce, end of its
 * life in milliseconds since 1970, and the hash of the token that it was issued for. What is stored is its use.
 */
export class Tickets {
  /** The first one seals, all of them open. */
  readonly #keys: readonly [Buffer, ...Buffer[]];
  readonly #used: UsedTickets;

  /** @param secrets of all servers and processes that accept each other's tickets; the first is for new ones */
  constructor([current, ...others]: readonly [Uint8Array, ...Uint8Array[]], used: UsedTickets) {
    this.#keys = [keyOf(current), ...others.map(keyOf)];
    this.#used = used;
  }

  /** Returns a ticket. @param hash 64 hex digits @param now milliseconds since 1970 */
  issue(hash: string, now: number): string {
    const nonce = randomBytes(NONCE_BYTES);
    const content = Buffer.alloc(TIME_BYTES + HASH_BYTES);
    content.writeUIntBE(now + TICKET_MS, 0, TIME_BYTES);
    content.write(hash, TIME_BYTES, "hex");
    const cipher = createCipheriv(CIPHER, this.#keys[0], nonce);
    return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()]).toString("base64url");
  }

  /**
   * Uses a ticket. Returns undefined when it is not valid: not issued by this server, too old, or used before; `full`
   * when too many have been used within a short time. @param now milliseconds since 1970
   */
  use(ticket: string, now: number): UsedTicket | Extract<Use, "full"> | undefined {
    const sealed = ticket.length === TICKET_CHARACTERS ? Buffer.from(ticket, "base64url") : Buffer.alloc(0);
    // Other characters than those of base64url are skipped, so that one ticket could have many spellings.
    if (sealed.length !== TICKET_BYTES || sealed.toString("base64url") !== ticket) return undefined;
    const content = this.#keys.map((key) => unseal(sealed, key)).find((each) => each !== undefined);
    if (content === undefined) return undefined;
    const end = content.readUIntBE(0, TIME_BYTES);
    if (end <= now || end > now + TICKET_MEMORY_MS) return undefined;
    const key = createHash("sha256").update(sealed.subarray(0, NONCE_BYTES)).digest().readUIntBE(0, 6);
    const hash = content.toString("hex", TIME_BYTES);
    const use = this.#used.use(key, hash, now + TICKET_MEMORY_MS, now);
    if (use === "full") return use;
    return use === "first" ? { hash } : undefined;
  }
}

function keyOf(secret: Uint8Array): Buffer {
  return createHmac("sha256", secret).update("streamer tickets 1").digest();
}

/** Returns the content of a ticket; undefined: it was not sealed with this key. */
function unseal(sealed: Buffer, key: Buffer): Buffer | undefined {
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const content = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    decipher.final();
    return content;
  } catch {
    return undefined;
  }
}
