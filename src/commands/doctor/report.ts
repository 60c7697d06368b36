import { excerpt } from "../../lib/excerpt.ts";
import { formatCount } from "../terminal/numbers.ts";
import type { Colour } from "../terminal/screen.ts";
import { hangText } from "../terminal/wrapped-text.ts";
import { type Finding, type Verdict, VERDICTS } from "./finding.ts";

const VERDICT_WIDTH = 9;
const SUBJECT_WIDTH = 18;
const INDENT = VERDICT_WIDTH + SUBJECT_WIDTH;
/** Most characters of what was found: a model may say anything. */
const MAX_TEXT = 2_000;

const COLOURS: Readonly<Record<Verdict, Colour>> = { ok: "green", note: "cyan", warning: "yellow", failure: "red" };

/** Counts findings by their verdict. */
export class Tally {
  readonly counts: Record<Verdict, number> = { ok: 0, note: 0, warning: 0, failure: 0 };

  add({ verdict }: Finding): void {
    this.counts[verdict]++;
  }

  /** The worst verdict. */
  get worst(): Verdict {
    return VERDICTS.findLast((verdict) => this.counts[verdict] > 0) ?? "ok";
  }

  /** Returns one sentence for people. @param runs a server runs at the address already */
  summary(runs: boolean): string {
    const { ok, note, warning, failure } = this.counts;
    const counts = [
      `${ok} ok`,
      ...[formatCount(note, "note"), formatCount(warning, "warning")],
      formatCount(failure, "failure"),
    ];
    const good = runs ? "the server that runs can go on" : "serve can start";
    const end = failure > 0 ? "serve would not start, or not work" : good;
    return `${counts.join(", ")}: ${end}`;
  }
}

/** Returns a finding in lines of its own, without what a terminal would act on. */
export function printable({ verdict, subject, found, remedy }: Finding): Finding {
  const clean = (text: string): string => excerpt(text.replaceAll(/\s*\n\s*/g, "; "), MAX_TEXT);
  return { verdict, subject, found: clean(found), ...(remedy !== undefined && { remedy: clean(remedy) }) };
}

/**
 * Returns the lines of a finding for a terminal of `columns` columns, with what to do below what was found.
 * @param paint colours the verdict
 */
export function terminalLines(
  finding: Finding,
  columns: number,
  paint: (colour: Colour, text: string) => string,
): string {
  const { verdict, subject, found, remedy } = printable(finding);
  const head = `${verdict.padEnd(VERDICT_WIDTH)}${subject.padEnd(SUBJECT_WIDTH)}`;
  const below = (text: string): string => hangText(`${" ".repeat(INDENT)}${text}`, columns - 1, INDENT);
  const lines = head.length > INDENT ? [head, below(found)] : [hangText(`${head}${found}`, columns - 1, INDENT)];
  if (remedy !== undefined) lines.push(below(`-> ${remedy}`));
  return paint(COLOURS[verdict], verdict) + lines.join("\n").slice(verdict.length);
}

/** Returns a finding as one line, for files and pipes. */
export function plainLine(finding: Finding): string {
  const { verdict, subject, found, remedy } = printable(finding);
  const gap = " ".repeat(Math.max(2, SUBJECT_WIDTH - subject.length));
  return `${verdict.padEnd(VERDICT_WIDTH)}${subject}${gap}${found}${remedy === undefined ? "" : ` -> ${remedy}`}`;
}
