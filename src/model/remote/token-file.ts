import { readFileSync } from "node:fs";

import { describeValue } from "../../lib/excerpt.ts";
import { messageOf } from "../../lib/thrown.ts";

/** Time for which a token is used without a look at its file. Tokens of Kubernetes are replaced before they expire. */
const FRESH_MS = 5_000;
const MAX_CHARACTERS = 65_536;

/** A bearer token in a file that may be replaced. A file that cannot be read any more leaves the last token in use. */
export class TokenFile {
  readonly #path: string;
  readonly #now: () => number;
  #token: string;
  #readMs: number;
  #isFailing = false;

  /** Reads the file. Throws an error if it has no token. @param now returns milliseconds, monotonic */
  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
    this.#token = readToken(path);
    this.#readMs = now();
  }

  get token(): string {
    if (this.#now() - this.#readMs < FRESH_MS) return this.#token;
    this.#readMs = this.#now();
    try {
      this.#token = readToken(this.#path);
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) console.error(`${messageOf(error)}; the last token stays in use`);
      this.#isFailing = true;
    }
    return this.#token;
  }
}

/** Never shows what is in the file. */
function readToken(path: string): string {
  const found = (what: string) =>
    new Error(`token_file: found ${describeValue(path)}, ${what}; allowed: a file with a token`);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw found(`which cannot be read (${messageOf(error)})`);
  }
  const token = text.trim();
  if (token === "" || token.length > MAX_CHARACTERS) throw found(token === "" ? "which is empty" : "which is too long");
  if (!/^[\x21-\x7e]+$/.test(token)) throw found("which has spaces or other characters that no token has");
  return token;
}
