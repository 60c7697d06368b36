import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import { type PartHead, readPartHead } from "./part-head.ts";

/** Most bytes of the headers of one part. */
export const MAX_PART_HEAD_BYTES = 8_192;
/** Most parts of a form. */
export const MAX_PARTS = 64;

const CRLF = "\r\n";
const HEAD_END = "\r\n\r\n";
const DASHES = "--";
const NO_BYTES = Buffer.alloc(0);
/** RFC 2046, 5.1.1: 1 to 70 of these, the last no blank. */
const BOUNDARY = /^[A-Za-z0-9'()+_,\-./:=? ]{0,69}[A-Za-z0-9'()+_,\-./:=?]$/;
const QUOTED_BOUNDARY = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;]+))/i;

/** What a form consists of: the head of a part, its body in pieces, and its end. */
export type PartEvent =
  | { readonly kind: "part"; readonly head: PartHead }
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  | { readonly kind: "end" };

interface Step {
  /** Bytes that have been read. */
  readonly used: number;
  readonly events: readonly PartEvent[];
}

/** Where the next bytes belong to. */
type Place = "first boundary" | "behind boundary" | "head" | "body" | "epilogue";

/** Returns the boundary in a `Content-Type: multipart/form-data`. Throws ProtocolError when it has none. */
export function boundaryOf(contentType: string | null): string {
  const isForm = /^multipart\/form-data\s*(?:;|$)/i.test(contentType ?? "");
  if (!isForm) {
    const found = describeValue(contentType ?? undefined);
    throw new ProtocolError("invalid_request", `Content-Type: found ${found}; allowed: multipart/form-data`);
  }
  const [, quoted, plain] = QUOTED_BOUNDARY.exec(contentType ?? "") ?? [];
  const boundary = quoted ?? plain ?? "";
  if (BOUNDARY.test(boundary)) return boundary;
  const found = boundary === "" ? "nothing" : describeValue(boundary);
  throw new ProtocolError("invalid_request", `Content-Type.boundary: found ${found}; allowed: 1 to 70 characters`);
}

/**
 * Reads a form (`multipart/form-data`, RFC 7578) as its bytes come, in any cut. Keeps the head of one part, or what may
 * be the beginning of a boundary. What is not exactly a form is an error: in front of the first boundary there is
 * nothing, and a boundary ends with CRLF, or with two dashes.
 */
export class MultipartParser {
  /** What separates a body from what follows: the line break belongs to it. */
  readonly #delimiter: Buffer;
  #place: Place = "first boundary";
  /** Bytes that have come and are not read. */
  #held: Buffer = Buffer.from(CRLF);
  #parts = 0;
  /** Nothing more can be read before more bytes come. */
  #blocked = false;

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(CRLF + DASHES + boundary, "latin1");
  }

  /** Bytes that are kept. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /**
   * Takes bytes, and yields what they complete. Bodies are views of them. Throws ProtocolError at what is no form.
   * @param bytes not changed by anybody afterwards
   */
  *push(bytes: Uint8Array): Generator<PartEvent, void> {
    let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    if (this.#held.length > 0) rest = Buffer.concat([this.#held, rest]);
    this.#held = NO_BYTES;
    while (this.#place !== "epilogue") {
      const { used, events } = this.#read(rest);
      yield* events;
      rest = rest.subarray(used);
      if (this.#blocked) break;
    }
    // A copy: a view would keep the memory of everything that has come with it.
    if (this.#place !== "epilogue" && rest.length > 0) this.#held = Buffer.from(rest);
  }

  /** The body of the request has ended. Throws ProtocolError when the form has not. */
  end(): void {
    if (this.#place !== "epilogue") throw invalid("it ends before its last boundary");
  }

  /** Reads as far as one place goes. What is not used is given again, with more behind it. */
  #read(bytes: Buffer): Step {
    const place = this.#place;
    const step = place === "body" ? this.#readBody(bytes) : place === "head" ? this.#readHead(bytes) : undefined;
    const done = step ?? { used: place === "first boundary" ? this.#readFirst(bytes) : this.#readBehind(bytes) };
    this.#blocked = this.#place === place;
    return { events: [], ...done };
  }

  #readFirst(bytes: Buffer): number {
    const length = Math.min(bytes.length, this.#delimiter.length);
    if (bytes.compare(this.#delimiter, 0, length, 0, length) !== 0) {
      throw invalid("it does not begin with the boundary that Content-Type names");
    }
    if (length < this.#delimiter.length) return 0;
    this.#place = "behind boundary";
    return length;
  }

  #readBehind(bytes: Buffer): number {
    if (bytes.length < 2) return 0;
    const behind = bytes.toString("latin1", 0, 2);
    if (behind === DASHES) this.#place = "epilogue";
    else if (behind === CRLF) this.#place = "head";
    else throw invalid("a boundary is followed by something else than a line break or two dashes");
    if (this.#place === "head" && ++this.#parts > MAX_PARTS) throw invalid(`it has more than ${MAX_PARTS} parts`);
    return 2;
  }

  #readHead(bytes: Buffer): Step {
    const end = bytes.indexOf(HEAD_END);
    if (end > MAX_PART_HEAD_BYTES || (end === -1 && bytes.length >= MAX_PART_HEAD_BYTES + HEAD_END.length)) {
      throw invalid(`the head of a part has more than ${MAX_PART_HEAD_BYTES} bytes`);
    }
    if (end === -1) return { used: 0, events: [] };
    const head = readPartHead(bytes.toString("utf8", 0, end));
    this.#place = "body";
    return { used: end + HEAD_END.length, events: [{ kind: "part", head }] };
  }

  #readBody(bytes: Buffer): Step {
    const found = bytes.indexOf(this.#delimiter);
    const length = found === -1 ? bytes.length - this.#beginning(bytes) : found;
    const events: PartEvent[] = length === 0 ? [] : [{ kind: "body", bytes: bytes.subarray(0, length) }];
    if (found === -1) return { used: length, events };
    this.#place = "behind boundary";
    return { used: found + this.#delimiter.length, events: [...events, { kind: "end" }] };
  }

  /** Returns how many of the last bytes may be the beginning of a delimiter. */
  #beginning(bytes: Buffer): number {
    const most = Math.min(bytes.length, this.#delimiter.length - 1);
    for (let length = most; length > 0; length--) {
      if (bytes.compare(this.#delimiter, 0, length, bytes.length - length) === 0) return length;
    }
    return 0;
  }
}

function invalid(reason: string): ProtocolError {
  return new ProtocolError(
    "invalid_request",
    `body: found no valid multipart/form-data, as ${reason}; allowed: a form`,
  );
}
