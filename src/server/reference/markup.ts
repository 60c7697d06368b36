/** Returns a text as it stands in HTML. */
export function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/** Returns the place of a name on the page, where names have one. */
export type Anchors = ReadonlyMap<string, string>;

/** Returns the HTML of a name in code: a link, if it has a place. */
export function code(name: string, anchors?: Anchors): string {
  const html = `<code>${escape(name)}</code>`;
  const anchor = anchors?.get(name);
  return anchor === undefined ? html : `<a href="#${anchor}">${html}</a>`;
}

/** Returns the HTML of a text in which code stands between backticks. */
export function inline(text: string, anchors?: Anchors): string {
  return text
    .split("`")
    .map((part, index) => (index % 2 === 1 ? code(part, anchors) : escape(part)))
    .join("");
}

/** Returns the HTML of a text whose paragraphs are separated by empty lines. */
export function paragraphs(text: string, anchors?: Anchors): string {
  return text
    .split("\n\n")
    .map((part) => `<p>${inline(part, anchors)}</p>\n`)
    .join("");
}

/** Returns a number as people read it. */
export function number(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 10 });
}

/** A line of a list: a name, what is said beside it in a few words, and an explanation. All are HTML but the place. */
export interface Entry {
  readonly id?: string;
  readonly term: string;
  readonly facts?: readonly string[];
  readonly text: string;
  /** Facts below the explanation. */
  readonly more?: readonly string[];
}

/** Returns the HTML of a list of names with explanations. */
export function entries(list: readonly Entry[]): string {
  if (list.length === 0) return "";
  return `<dl>\n${list.map(entry).join("")}</dl>\n`;
}

function entry({ id, term, facts = [], text, more = [] }: Entry): string {
  const place = id === undefined ? "" : ` id="${id}"`;
  const beside = facts.map((fact) => ` <span>${fact}</span>`).join("");
  const below = more.map((fact) => `<p class="more">${fact}</p>`).join("");
  return `<div${place}><dt>${term}${beside}</dt><dd>${text}${below}</dd></div>\n`;
}

/** Returns the HTML of JSON, for people. */
export function example(value: unknown): string {
  return `<pre><code>${escape(JSON.stringify(value, null, 2))}</code></pre>\n`;
}
