// CHANGELOG.md, of which each release gets its section.

/**
 * Returns the section of a version without its heading, which is `## VERSION`, with a date behind it or none. Throws a
 * sentence when it is missing or empty.
 */
export function changelogSection(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  const titles = sections.map((section) => section.slice(0, section.indexOf("\n")).trim());
  const index = titles.findIndex((title) => title.replace(/^\[(.+?)\]/, "$1").split(" ", 1)[0] === version);
  if (index === -1) {
    throw new Error(`CHANGELOG.md: found no section "## ${version}"; it has ${titles.join(", ") || "none"}.`);
  }
  const text = sections[index]?.slice((sections[index] ?? "").indexOf("\n")).trim() ?? "";
  if (text === "") throw new Error(`CHANGELOG.md: the section "## ${version}" is empty.`);
  return `${text}\n`;
}
