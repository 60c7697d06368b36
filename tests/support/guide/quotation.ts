const ELISION = /^\s*(?:\/\/ \.\.\.|# \.\.\.|\/\* \.\.\. \*\/)\s*$/;

/** Code without what a formatter decides: white space, and commas before a closing bracket. */
function bare(code: string): string {
  return code.replace(/\s+/g, "").replace(/,(?=[\])}>])/g, "");
}

/**
 * Compares code that a chapter shows with the file that it is from. A line `// ...`, `# ...` stands for lines left out.
 * @returns the first part that the file does not have after the part before it, or nothing
 */
export function misquoted(lines: readonly string[], source: string): string | undefined {
  const parts: string[][] = [[]];
  for (const line of lines) {
    if (ELISION.test(line)) parts.push([]);
    else parts.at(-1)!.push(line);
  }
  const all = bare(source);
  let from = 0;
  for (const part of parts.filter((some) => some.some((line) => line.trim() !== ""))) {
    const wanted = bare(part.join("\n"));
    const at = all.indexOf(wanted, from);
    if (at === -1) return part.join("\n");
    from = at + wanted.length;
  }
  return undefined;
}
