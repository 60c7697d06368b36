/** A duration, which differs from run to run. */
const DURATION = /\d+(?:,\d{3})*(?:\.\d+)?(?= (?:ms|s|us|µs)\b)|(?<=real-time factor )\d+(?:\.\d+)?/g;
const IDENTIFIER = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
/** Identifiers of traces and spans, then numbers of any kind; not those of names such as p99. */
const NUMBER = /\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b|(?<![A-Za-z_\d])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?/g;

/** A line as it is compared: what differs from run to run is `#`, and columns are of any width. */
function comparable(line: string, numbersVary: boolean): string {
  const masked = line.replace(IDENTIFIER, "#").replace(DURATION, "#");
  return (numbersVary ? masked.replace(NUMBER, "#") : masked).replace(/\s+/g, " ").trim();
}

/**
 * Compares what a chapter says with what was printed. A line `...` of the chapter stands for any number of lines.
 * @returns what is wrong, or nothing
 */
export function difference(expected: readonly string[], printed: string, numbersVary = false): string | undefined {
  const lines = printed.replace(/\n$/, "").split("\n");
  const actual = (printed === "" ? [] : lines).map((line) => comparable(line, numbersVary));
  const groups = groupsOf(expected.map((line) => (line.trim() === "..." ? "..." : comparable(line, numbersVary))));
  let next = 0;
  for (const [index, group] of groups.entries()) {
    const last = index === groups.length - 1;
    const earliest = index === 0 ? 0 : next;
    const latest = index === 0 ? 0 : actual.length - group.length;
    // The last group ends the output; a document that ends with `...` has an empty last group.
    const from = last && group.length > 0 && index > 0 ? Math.max(earliest, latest) : earliest;
    const at = last && group.length === 0 ? next : find(actual, group, from, latest);
    if (at === undefined) return `these lines are missing:\n${group.join("\n")}\nin:\n${printed}`;
    next = at + group.length;
    if (last && group.length > 0 && next !== actual.length) return `there is more than the chapter has:\n${printed}`;
  }
  return undefined;
}

/** Lines between those that stand for any. */
function groupsOf(lines: readonly string[]): string[][] {
  const groups: string[][] = [[]];
  for (const line of lines) {
    if (line === "...") groups.push([]);
    else groups.at(-1)!.push(line);
  }
  return groups;
}

function find(lines: readonly string[], group: readonly string[], from: number, to: number): number | undefined {
  for (let at = from; at <= to; at++) if (group.every((line, i) => lines[at + i] === line)) return at;
  return undefined;
}
