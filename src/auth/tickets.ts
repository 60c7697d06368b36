import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";

import type { Use, UsedTickets } from "./used-tickets.ts";

/** Milliseconds for which a ticket is valid. */
export const TICKET_MS = 30_000;
/**
 * Milliseconds for which a used ticket is remembered: longer than it is valid, because the clock of the server that has
 * issued it may be ahead.
 */
export const TICKET_MEMORY_MS = 2 * TICKET_MS;

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ISSUER_BYTES = 8;
const TIME_BYTES = 6;
const HASH_BYTES = 32;
/** Places in the content: the issuer, when it was issued on both clocks, and the hash of the token. */
const UPTIME_AT = ISSUER_BYTES;
const WALL_AT = UPTIME_AT + TIME_BYTES;
const HASH_AT = WALL_AT + TIME_BYTES;
const CONTENT_BYTES = HASH_AT + HASH_BYTES;
const TICKET_BYTES = NONCE_BYTES + CONTENT_BYTES + TAG_BYTES;
/** Length of a ticket, base64url without padding. */
const TICKET_CHARACTERS = Math.ceil((TICKET_BYTES * 4) / 3);

/** The present on the two clocks of a machine, in milliseconds. */
export interface Moment {
  /** Since 1970, by the clock on the wall, which can be set. */
  readonly wall: number;
  /** Since the machine was started. */
  readonly uptime: number;
}

/** A server, which may have several processes. */
export interface Issuer {
  /** Random bytes that no other server has, nor this one when it is started again. */
  readonly secret: Uint8Array;
  /** When it was started, milliseconds of uptime. */
  readonly startedAt: number;
}

/** A ticket that was used now, for the first time: the hash of the token that it stands for. */
export interface UsedTicket {
  readonly hash: string;
}

/**
 * Issues tickets and uses them. A ticket is sealed with the secret of the server and stored nowhere: a nonce, who issued
 * it and when, and the hash of the token that it was issued for. What is stored is its use.
 *
 * A server forgets the used tickets when it ends. So it refuses those of others, which may be those of its predecessor,
 * if they were issued before it was started.
 */
export class Tickets {
  /** The first one seals, all of them open. */
  readonly #keys: readonly [Buffer, ...Buffer[]];
  readonly #used: UsedTickets;
  /** Stands for the server in its tickets. */
  readonly #id: Buffer;
  readonly #startedAt: number;

  /** @param secrets of all servers that accept each other's tickets; the first is for new ones */
  constructor(
    [current, ...others]: readonly [Uint8Array, ...Uint8Array[]],
    used: UsedTickets,
    { secret, startedAt }: Issuer,
  ) {
    this.#keys = [keyOf(current), ...others.map(keyOf)];
    this.#used = used;
    this.#id = createHmac("sha256", secret).update("streamer ticket issuer").digest().subarray(0, ISSUER_BYTES);
    this.#startedAt = startedAt;
  }

  /** Returns a ticket. @param hash 64 hex digits */
  issue(hash: string, { wall, uptime }: Moment): string {
    const nonce = randomBytes(NONCE_BYTES);
    const content = Buffer.alloc(CONTENT_BYTES);
    this.#id.copy(content);
    content.writeUIntBE(uptime, UPTIME_AT, TIME_BYTES);
    content.writeUIntBE(Math.max(0, wall), WALL_AT, TIME_BYTES);
    content.write(hash, HASH_AT, "hex");
    const cipher = createCipheriv(CIPHER, this.#keys[0], nonce);
    return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()]).toString("base64url");
  }

  /**
   * Uses a ticket. Returns undefined when it is not valid: not issued by this server or one with its keys, too old, or
   * used before; `full` when too many have been used within a short time.
   */
  use(ticket: string, now: Moment): UsedTicket | Extract<Use, "full"> | undefined {
    const sealed = ticket.length === TICKET_CHARACTERS ? Buffer.from(ticket, "base64url") : Buffer.alloc(0);
    // Other characters than those of base64url are skipped, so that one ticket could have many spellings.
    if (sealed.length !== TICKET_BYTES || sealed.toString("base64url") !== ticket) return undefined;
    const content = this.#keys.map((key) => unseal(sealed, key)).find((each) => each !== undefined);
    if (content === undefined || !this.#isTimely(content, now)) return undefined;
    const key = createHash("sha256").update(sealed.subarray(0, NONCE_BYTES)).digest().readUIntBE(0, 6);
    const hash = content.toString("hex", HASH_AT);
    const use = this.#used.use(key, hash, now.uptime + TICKET_MEMORY_MS, now.uptime);
    if (use === "full") return use;
    return use === "first" ? { hash } : undefined;
  }

  /** Tickets of this server follow a clock that nobody can set. Those of others can only follow the one on the wall. */
  #isTimely(content: Buffer, { wall, uptime }: Moment): boolean {
    if (content.subarray(0, ISSUER_BYTES).equals(this.#id)) {
      return Math.abs(uptime - content.readUIntBE(UPTIME_AT, TIME_BYTES)) < TICKET_MS;
    }
    const issuedAt = content.readUIntBE(WALL_AT, TIME_BYTES);
    const startedAt = wall - (uptime - this.#startedAt);
    return issuedAt >= startedAt && Math.abs(wall - issuedAt) < TICKET_MS;
  }
}

function keyOf(secret: Uint8Array): Buffer {
  return createHmac("sha256", secret).update("streamer tickets 2").digest();
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
