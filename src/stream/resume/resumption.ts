import { deserialize, serialize } from "bun:jsc";
import { deflateRawSync, inflateRawSync } from "node:zlib";

import type { Keyring } from "../../auth/keyring.ts";
import type { Config } from "../../config/config.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { MAX_OPTIONS_BYTES, MAX_TOKEN_CHARACTERS } from "../../protocol/requests.ts";
import type { StreamOwner } from "../owner.ts";
import { readResumeState, type ResumeState } from "./resume-state.ts";
import { newStreamId, openToken, TokenSealer } from "./sealed-token.ts";

/** Bytes of a token beside its content, at most. */
const HEAD_BYTES = 128;
/** Most bytes of a start beside its token: `options`, and the other fields. */
const START_BYTES = MAX_OPTIONS_BYTES + 2_048;
/** Most bytes that the content of a token can be inflated to. */
const MAX_STATE_BYTES = 1024 * 1024;

const PLAIN = 0;
const DEFLATED = 1;

const PARAM = "resume.token";
/** The same words for a token that is damaged, of another deployment or of another caller. */
const NOT_VALID =
  `${PARAM}: found a token that is not valid; allowed: ` +
  "that of a checkpoint which a server of this deployment has sent to you";

/** What a token belongs to, besides its caller: a stream with any other of these would have other results. */
export interface Binding {
  readonly pattern: string;
  readonly model: string;
  readonly format: string;
  readonly settings: string;
}

/** The parts of a binding, as an error names them. */
const BINDING_PARTS = ["pattern", "model", "format", "settings"] as const satisfies (keyof Binding)[];

/** A stream that is to go on, as its token has it. */
export interface Resumed {
  readonly identity: StreamIdentity;
  /** Number of the stream, as `started` has it. */
  readonly index: number;
  readonly state: ResumeState;
}

/** What the tokens of one stream have in common. */
export interface StreamIdentity {
  readonly id: Uint8Array;
  readonly key: string;
}

/** The fields of a token. Times are milliseconds since 1970: several machines compare them. */
interface Content {
  readonly expires: number;
  readonly index: number;
  readonly binding: Binding;
  readonly state: unknown;
}

type ResumeLimits = Pick<Config["limits"], "resume_ms" | "max_text_bytes">;

/** Makes and reads the tokens with which streams go on at other connections, and knows which connection has which. */
export class Resumption {
  readonly #keyring: Keyring;
  readonly #resumeMs: number;
  readonly #now: () => number;
  /** Most bytes of the content of a token. */
  readonly #maxBytes: number;
  readonly #holders = new Map<string, Pick<StreamOwner, "evicted">>();

  /**
   * @param limits.resume_ms life of a token
   * @param limits.max_text_bytes a start with its token must not be larger
   * @param now returns milliseconds since 1970
   */
  constructor(keyring: Keyring, limits: ResumeLimits, now: () => number = Date.now) {
    this.#keyring = keyring;
    this.#resumeMs = limits.resume_ms;
    this.#now = now;
    const characters = Math.min(MAX_TOKEN_CHARACTERS, limits.max_text_bytes - START_BYTES);
    this.#maxBytes = Math.floor((characters * 3) / 4) - HEAD_BYTES;
  }

  newIdentity(): StreamIdentity {
    return identityOf(newStreamId());
  }

  /**
   * Returns a function that makes the token of a state; undefined when it would be too large.
   * @param index number of the stream, as `started` has it
   */
  sealer(
    { id }: StreamIdentity,
    caller: string,
    binding: Binding,
    index: number,
  ): (state: ResumeState) => string | undefined {
    const sealer = new TokenSealer(this.#keyring, id, caller);
    return (state) => {
      const content: Content = { expires: this.#now() + this.#resumeMs, index, binding, state };
      const packed = pack(new Uint8Array(serialize(content)), this.#maxBytes);
      return packed === undefined ? undefined : sealer.seal(packed);
    };
  }

  /** Reads a token. Throws ProtocolError, naming `resume.token`, when the stream cannot go on from it. */
  open(token: string, caller: string, binding: Binding, channels: number): Resumed {
    const opened = openToken(this.#keyring, token, caller);
    const content = opened && unpack(opened.content);
    if (opened === undefined || content === undefined) throw refused(NOT_VALID);
    const late = this.#now() - content.expires;
    if (late > 0) {
      const found = `found a token that expired ${Math.ceil(late / 1000)} s ago`;
      throw refused(`${PARAM}: ${found}; allowed: one that is used within ${this.#resumeMs} ms`);
    }
    const other = BINDING_PARTS.find((part) => content.binding[part] !== binding[part]);
    if (other !== undefined) {
      throw refused(`${PARAM}: found a token of a stream with another ${other}; allowed: the start that it belongs to`);
    }
    const state = readResumeState(content.state, channels);
    if (state === undefined) throw refused(NOT_VALID);
    return { identity: identityOf(opened.stream), index: content.index, state };
  }

  /** A connection has the stream from now on. The one that had it is told. */
  hold({ key }: StreamIdentity, holder: Pick<StreamOwner, "evicted">): void {
    const before = this.#holders.get(key);
    this.#holders.set(key, holder);
    if (before !== undefined && before !== holder)
      before.evicted("the stream goes on on another connection", "resumed");
  }

  /** The stream has ended on this connection. */
  release({ key }: StreamIdentity, holder: Pick<StreamOwner, "evicted">): void {
    if (this.#holders.get(key) === holder) this.#holders.delete(key);
  }
}

/** The error for a state that was authentic and cannot be gone on from: it is of another version. */
export function invalidToken(): ProtocolError {
  return refused(NOT_VALID);
}

function identityOf(id: Uint8Array): StreamIdentity {
  return { id, key: Buffer.from(id).toString("base64url") };
}

function refused(message: string): ProtocolError {
  return new ProtocolError("invalid_request", message, { param: PARAM });
}

/** Deflates only what would not fit otherwise: most states are small, and are made once a second. */
function pack(bytes: Uint8Array, maxBytes: number): Uint8Array | undefined {
  if (bytes.length < maxBytes) return Buffer.concat([Buffer.of(PLAIN), bytes]);
  if (bytes.length > MAX_STATE_BYTES) return undefined;
  const deflated = deflateRawSync(bytes, { level: 6 });
  return deflated.length < maxBytes ? Buffer.concat([Buffer.of(DEFLATED), deflated]) : undefined;
}

function unpack(packed: Uint8Array): Content | undefined {
  try {
    const rest = packed.subarray(1);
    const bytes = packed[0] === DEFLATED ? inflateRawSync(rest, { maxOutputLength: MAX_STATE_BYTES }) : rest;
    // A copy: deserialize reads the whole buffer.
    return deserialize(new Uint8Array(bytes).buffer) as Content;
  } catch {
    return undefined;
  }
}
