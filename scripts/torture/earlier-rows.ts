// Rows of a run that is gone on with later: a file with a line for each.

import { appendFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

import type { Form } from "../../tests/support/proof.ts";
import type { Row } from "./rows.ts";

interface KeptRow {
  readonly commit: string;
  readonly form: Form;
  /** Time of its end in UTC, to the minute. */
  readonly at: string;
  readonly row: Row;
}

/** The rows of one form and one commit without changes. */
export class EarlierRows {
  readonly #path: string;
  readonly #commit: string;
  readonly #form: Form;

  constructor(path: string, commit: string, form: Form) {
    if (commit.endsWith("changes"))
      throw new Error(`--resume: found ${commit}; allowed: a working copy without changes`);
    this.#path = path;
    this.#commit = commit;
    this.#form = form;
  }

  /** The rows that passed. */
  async read(): Promise<Row[]> {
    const text = await readFile(this.#path, "utf8").catch(() => "");
    const lines = text.split("\n").filter((line) => line !== "");
    const rows = new Map<string, Row>();
    for (const { commit, form, at, row } of lines.map((line) => JSON.parse(line) as KeptRow)) {
      if (commit !== this.#commit || form !== this.#form) continue;
      if (row.passed) rows.set(row.name, { ...row, earlier: `run of ${at}` });
      else rows.delete(row.name);
    }
    return [...rows.values()];
  }

  add(row: Row): void {
    const at = new Date().toISOString().slice(0, 16).replace("T", " ");
    const kept: KeptRow = { commit: this.#commit, form: this.#form, at, row };
    appendFileSync(this.#path, `${JSON.stringify(kept)}\n`);
  }
}
