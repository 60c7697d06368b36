// One run of files of tests that prove promises. A line is printed for each promise as it ends.

import { closeSync, openSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import type { PromiseName } from "../../tests/support/promises.ts";
import type { Form, Proof } from "../../tests/support/proof.ts";
import { runTests } from "../test-run.ts";
import { LANES, type Plan, type PlannedFile } from "./plan.ts";
import { type Row, rowOf } from "./rows.ts";

/** A file that hangs ends after this time. */
const LIMIT_MS: Readonly<Record<Form, number>> = { short: 30 * 60_000, long: 60 * 60_000, endless: 24 * 3_600_000 };
const LOOK_MS = 1_000;

export interface TortureRunOptions {
  readonly root: string;
  /** A folder for what the tests write. */
  readonly folder: string;
  readonly form: Form;
  readonly seed: number;
  readonly plan: Plan;
  readonly signal: AbortSignal;
  readonly print: (line: string) => void;
  /** Called with the row of a promise when all of its files have ended. */
  readonly done: (row: Row) => void;
}

export class TortureRun {
  /** What failed, a phrase each. */
  readonly problems: string[] = [];
  readonly #options: TortureRunOptions;
  readonly #begunAt = performance.now();
  readonly #proofs: Proof[] = [];
  /** Files that have not ended, by promise. */
  readonly #open = new Map<PromiseName, number>();

  constructor(options: TortureRunOptions) {
    this.#options = options;
    const { together, alone } = options.plan;
    for (const name of [...together, ...alone].flatMap(({ promises }) => promises)) {
      this.#open.set(name, (this.#open.get(name) ?? 0) + 1);
    }
  }

  /** Runs all files. Returns before when the signal is aborted. */
  async run(): Promise<void> {
    const { together, alone } = this.#options.plan;
    const waiting = [...together];
    const lane = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await this.#runFile(file);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    for (const file of alone) await this.#runFile(file);
    await rm(join(this.#options.folder, "tmp"), { recursive: true, force: true });
  }

  async #runFile({ path, promises }: PlannedFile): Promise<void> {
    const { root, folder, form, seed, signal } = this.#options;
    if (signal.aborted) return;
    const name = path
      .replaceAll("/", "-")
      .replace(/^tests-(?:suites-)?/, "")
      .replace(/\.test\.ts$/, "");
    const file = join(folder, `${name}.proofs`);
    const log = join(folder, `${name}.log`);
    // Tests that are killed leave their files behind.
    const temporary = join(folder, "tmp");
    await mkdir(temporary, { recursive: true });
    const env = {
      TMPDIR: temporary,
      STREAMER_PROOFS: file,
      STREAMER_PROMISES: promises.join(","),
      STREAMER_SEED: String(seed),
      STREAMER_TORTURE: form,
    };
    this.#print("started", `${path}: ${promises.join(", ")}`);
    const own: Proof[] = [];
    let shown = 0;
    const show = (end: number): void => {
      this.#show(own.slice(shown, end));
      shown = end;
    };
    const look = async (): Promise<void> => {
      const found = await readProofs(file);
      for (const proof of found.slice(own.length)) {
        // The tests of a promise stand together in a file.
        if (own.length > shown && own.at(-1)?.promise !== proof.promise) show(own.length);
        own.push(proof);
      }
    };
    const timer = setInterval(() => void look(), LOOK_MS);
    const output = openSync(log, "w");
    const run = await runTests(root, { files: [path], env, limitMs: LIMIT_MS[form], output, signal });
    closeSync(output);
    clearInterval(timer);
    await look();
    if (!signal.aborted && run.failed > 0) {
      this.problems.push(...run.problems.map((problem) => `${problem} (${log})`));
      // Whatever went wrong outside of them, the promises of the file are not kept.
      const reason = run.problems.join("; ");
      if (own.every(({ passed }) => passed)) own.push(...promises.map((promise) => failed(promise, reason)));
    }
    show(own.length);
    this.#proofs.push(...own);
    if (!signal.aborted) for (const promise of promises) this.#fileEnded(promise);
  }

  #fileEnded(promise: PromiseName): void {
    const left = (this.#open.get(promise) ?? 1) - 1;
    this.#open.set(promise, left);
    if (left === 0) this.#options.done(rowOf(promise, this.#proofs));
  }

  #show(proofs: readonly Proof[]): void {
    for (const promise of new Set(proofs.map((proof) => proof.promise))) {
      const { figure, passed, minutes } = rowOf(promise, proofs);
      this.#print(passed ? "pass" : "FAIL", `${promise}, ${minutes.toFixed(1)} min: ${figure}`);
    }
  }

  #print(what: string, text: string): void {
    const minutes = ((performance.now() - this.#begunAt) / 60_000).toFixed(1);
    this.#options.print(`${minutes.padStart(5)} min  ${what.padEnd(7)}  ${text}`);
  }
}

function failed(promise: PromiseName, figure: string): Proof {
  return { promise, figure, passed: false, seconds: 0, load: 0 };
}

async function readProofs(path: string): Promise<Proof[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  // The last line may not be complete yet.
  const lines = text.split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as Proof);
}
