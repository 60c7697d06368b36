// Draws specifications of Vega-Lite as SVG, the same bytes for the same rows on every machine. The packages are those of
// docs/package.json, which are installed when they are needed first.

import { DOCS, installDocsPackages } from "./docs-packages.ts";
import type { Specification } from "./plot.ts";
import { THEME } from "./theme.ts";

/** Width of every figure, in pixels. */
export const WIDTH = 720;
const MARGIN = 8;
/** Mean width of a character in sans-serif type, as a share of the type size. */
const CHARACTER = 0.56;

/** The part of Vega that is used here. The core tests and checks run without its packages, so without its types. */
interface Vega {
  parse(specification: object): object;
  View: new (runtime: object, options: object) => { toSVG(): Promise<string>; finalize(): void };
  resetSVGDefIds(): void;
  textMetrics: { width: (item: TextItem, text: unknown) => number };
}

interface TextItem {
  readonly fontSize?: number;
}

interface VegaLite {
  compile(specification: object, options: object): { spec: object };
}

/** Vega and Vega-Lite report what they leave out of a drawing as warnings. Here each is an error. */
const logger = {
  level: () => logger,
  error: reject,
  warn: reject,
  info: () => logger,
  debug: () => logger,
};

function reject(...messages: unknown[]): never {
  throw new Error(messages.map(String).join(" "));
}

export class Drawing {
  readonly #vega: Vega;
  readonly #vegaLite: VegaLite;

  /** Installs the packages unless they are there, and loads them. */
  static async load(): Promise<Drawing> {
    await installDocsPackages();
    const [vega, vegaLite] = await Promise.all(
      ["vega", "vega-lite"].map(async (name) => (await import(Bun.resolveSync(name, DOCS))) as unknown),
    );
    return new Drawing(vega as Vega, vegaLite as VegaLite);
  }

  private constructor(vega: Vega, vegaLite: VegaLite) {
    this.#vega = vega;
    this.#vegaLite = vegaLite;
    // Widths from fonts would differ between machines.
    vega.textMetrics.width = ({ fontSize = 11 }, text) =>
      text === null || text === undefined ? 0 : Math.round(String(text).length * fontSize * CHARACTER);
  }

  /**
   * Returns the SVG. Throws if Vega has a warning, or if the drawing is wider than a figure.
   * @param mark says which data it was drawn from
   */
  async draw(title: string, rows: readonly object[], specification: Specification, mark: string): Promise<string> {
    // Only a figure of one view can fit a width, its axes included.
    const isOne = !["vconcat", "hconcat", "concat", "facet", "repeat"].some((key) => key in specification);
    const fit = isOne ? { autosize: { type: "fit", contains: "padding" }, width: WIDTH - 2 * MARGIN } : {};
    const whole = { title, data: { values: rows }, ...fit, ...specification };
    const { spec } = this.#vegaLite.compile(whole, { config: THEME, logger });
    this.#vega.resetSVGDefIds();
    const view = new this.#vega.View(this.#vega.parse(spec), { renderer: "none", logger });
    try {
      return framed(await view.toSVG(), title, mark);
    } finally {
      view.finalize();
    }
  }
}

/** `svg` in the middle of a white figure. */
function framed(svg: string, title: string, mark: string): string {
  const [head, width = "", height = ""] = /^<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>/.exec(svg) ?? [];
  if (head === undefined) throw new Error("Vega has returned no SVG");
  const [inner, full] = [Math.ceil(Number(width)), Math.ceil(Number(height)) + 2 * MARGIN];
  if (inner > WIDTH) throw new Error(`the drawing is ${inner} pixels wide: make its views ${inner - WIDTH} narrower`);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${WIDTH}" height="${full}" viewBox="0 0 ${WIDTH} ${full}">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(mark)}</desc>`,
    `<rect width="${WIDTH}" height="${full}" fill="#ffffff"/>`,
    `<g transform="translate(${Math.floor((WIDTH - inner) / 2)},${MARGIN})" fill="none" stroke-miterlimit="10">`,
    svg.slice(head.length).replace(/<\/svg>\s*$/, "</g>"),
    "</svg>",
  ];
  return `${lines.join("\n")}\n`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
