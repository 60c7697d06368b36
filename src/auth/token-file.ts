import { readFileSync, statSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";

import { messageOf } from "../lib/thrown.ts";
import { worldReadableMode, worldReadableWarning } from "../lib/world-readable.ts";
import type { Logger } from "../telemetry/log/log.ts";
import type { Grant } from "./grant.ts";
import { parseTokenList, TokenListError } from "./token-list.ts";
import { Tokens } from "./tokens.ts";

/** Largest token file. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;
const OTHERS_WRITE = 0o002;

export interface TokenFileOptions {
  /** Path of the file. */
  readonly path: string;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  /** A text of the file that was valid, used until the file itself is. */
  readonly known?: string | undefined;
}

/** What is known of a file without reading it. */
interface FileStatus {
  readonly mode: bigint;
  readonly size: bigint;
  readonly dev: bigint;
  readonly ino: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  isFile(): boolean;
}

/**
 * A file of tokens, read again when it has changed, however that was done: written in place, replaced, or by another
 * target of a symbolic link. A file that cannot be used changes nothing and is reported once.
 */
export class TokenFile {
  readonly #options: TokenFileOptions;
  #text = "";
  #tokens = new Tokens([]);
  /** The state of the file that was handled last, and one that may still be changing. */
  #handled = "";
  #pending: string | undefined;
  #checking = false;
  #isRefused = false;
  #warned = "";

  /** Reads the file. Throws TokenListError when it cannot be used and no valid text is known. */
  constructor(options: TokenFileOptions) {
    this.#options = options;
    const { path, known } = options;
    if (known !== undefined) this.#use(known);
    try {
      const status = statSync(path, { bigint: true });
      this.#handled = signatureOf(status);
      checkStatus(status, path);
      this.#use(readFileSync(path, "utf8"));
      this.#warn();
    } catch (error) {
      const problems = problemsOf(error, path);
      if (known === undefined) throw new TokenListError(problems);
      this.#report(problems);
    }
  }

  /** The file is missing or not valid, and the tokens of before are in use. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  get tokens(): Tokens {
    return this.#tokens;
  }

  /** The text that the tokens are from. */
  get text(): string {
    return this.#text;
  }

  /**
   * Looks whether the file has changed, and reads it when its state is the same at two looks in a row: an editor may be
   * writing it. To be called about twice a second. Resolves with true when the tokens are others now.
   */
  async check(): Promise<boolean> {
    if (this.#checking) return false;
    this.#checking = true;
    try {
      return await this.#check();
    } finally {
      this.#checking = false;
    }
  }

  async #check(): Promise<boolean> {
    const { path } = this.#options;
    const now = await stateOf(path);
    if (now === this.#handled) {
      this.#pending = undefined;
      return false;
    }
    if (now !== this.#pending) {
      this.#pending = now;
      return false;
    }
    const before = this.#tokens;
    try {
      checkStatus(await stat(path, { bigint: true }), path);
      const text = await readFile(path, "utf8");
      if ((await stateOf(path)) !== now) return false;
      this.#handled = now;
      this.#use(text);
    } catch (error) {
      this.#handled = now;
      this.#report(problemsOf(error, path));
      return false;
    }
    this.#loaded(before);
    return true;
  }

  #loaded(before: Tokens): void {
    this.#warn();
    const added = count(this.#tokens.grants, (grant) => !before.has(grant.hash));
    const removed = count(before.grants, (grant) => !this.#tokens.has(grant.hash));
    this.#options.log.info("token_file_loaded", { file: this.#options.path, valid: this.#tokens.size, added, removed });
  }

  /** Throws TokenListError. */
  #use(text: string): void {
    this.#tokens = new Tokens(parseTokenList(text, this.#options.path));
    this.#text = text;
    this.#isRefused = false;
  }

  #report(problems: readonly string[]): void {
    const { path, log } = this.#options;
    this.#isRefused = true;
    log.error("token_file_refused", { file: path, problems, kept: this.#tokens.size });
  }

  #warn(): void {
    const { path, log, known } = this.#options;
    // One of several processes: the supervisor, which has the same file, warns for all.
    if (known !== undefined) return;
    const mode = worldReadableMode(path);
    const warnings = mode === undefined ? [] : [worldReadableWarning(path, mode)];
    if (this.#tokens.size === 0) warnings.push(`${path}: has no token, so that nobody can connect`);
    const text = warnings.join("\n");
    if (text !== this.#warned) for (const message of warnings) log.warn("token_file_warning", { message });
    this.#warned = text;
  }
}

/** Returns the state of a file as a text that differs when the file may have changed. */
async function stateOf(path: string): Promise<string> {
  try {
    return signatureOf(await stat(path, { bigint: true }));
  } catch (error) {
    return messageOf(error);
  }
}

function signatureOf({ dev, ino, size, mode, mtimeNs, ctimeNs }: FileStatus): string {
  return [dev, ino, size, mode, mtimeNs, ctimeNs].join(" ");
}

/** Throws TokenListError when a file cannot be one of tokens. A pipe would be empty at the second look. */
function checkStatus(status: FileStatus, path: string): void {
  if (!status.isFile()) throw new TokenListError([`${path}: found no regular file; allowed: a text file`]);
  if (status.size > MAX_FILE_BYTES) {
    throw new TokenListError([`${path}: found ${status.size} bytes; allowed: at most ${MAX_FILE_BYTES}`]);
  }
  if (Number(status.mode) & OTHERS_WRITE) {
    throw new TokenListError([
      `${path}: found mode ${modeOf(status.mode)}, so that every user could add a token; allowed: chmod o-w`,
    ]);
  }
}

function modeOf(mode: bigint): string {
  return (Number(mode) & 0o7777).toString(8).padStart(4, "0");
}

function problemsOf(error: unknown, path: string): readonly string[] {
  return error instanceof TokenListError ? error.problems : [`${path}: cannot be read: ${messageOf(error)}`];
}

function count(grants: Iterable<Grant>, matches: (grant: Grant) => boolean): number {
  return [...grants].filter(matches).length;
}
