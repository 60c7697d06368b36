import type { Output } from "./output.ts";

/** Codes of SGR, the ANSI sequence for text style. */
const COLOURS = { dim: 2, red: 31, green: 32, yellow: 33 };

/** Moves the cursor up `lines` lines (CPL) and erases to the end of the screen (ED). */
function eraseLines(lines: number): string {
  return lines === 0 ? "" : `\u001B[${lines}F\u001B[J`;
}

/**
 * The user's view of a command: results on standard output and notices on standard error. On a terminal, live lines
 * stand below both and are updated in place.
 */
export class Screen {
  readonly #out: Output;
  readonly #err: Output;
  readonly #colour: boolean;
  /** The output that shows the live lines; undefined if neither is a terminal. */
  readonly #liveOutput: Output | undefined;
  /** The live lines by name. */
  readonly #live = new Map<string, string>();
  /** Number of live lines on the terminal now. */
  #drawn = 0;

  constructor(out: Output, err: Output, options: { readonly colour: boolean }) {
    this.#out = out;
    this.#err = err;
    this.#liveOutput = [err, out].find((output) => output.isTerminal);
    this.#colour = options.colour;
  }

  /** True if results go to a terminal, where live lines can replace them. */
  get resultsOnTerminal(): boolean {
    return this.#out.isTerminal;
  }

  /** True if notices go to a terminal. */
  get noticesOnTerminal(): boolean {
    return this.#err.isTerminal;
  }

  /** Prints a result, one line. Returns a promise if the output cannot take more now. */
  print(line: string): Promise<void> | undefined {
    return this.#writeLine(this.#out, line);
  }

  /** Prints a notice, one line. Returns a promise if the output cannot take more now. */
  notice(line: string): Promise<void> | undefined {
    return this.#writeLine(this.#err, line);
  }

  /** Sets a live line, or removes it. The lines are sorted by name. No effect without a terminal. */
  setLive(name: string, line: string | undefined): void {
    if (this.#liveOutput === undefined || this.#live.get(name) === line) return;
    if (line === undefined) this.#live.delete(name);
    else this.#live.set(name, line);
    this.#redraw();
  }

  /** Removes all live lines. */
  clearLive(): void {
    this.#live.clear();
    if (this.#drawn > 0) this.#redraw();
  }

  /** Colours text of a result. Returns it unchanged if results do not go to a terminal. */
  paint(colour: keyof typeof COLOURS, text: string): string {
    return this.#colour && this.#out.isTerminal ? `\u001B[${COLOURS[colour]}m${text}\u001B[0m` : text;
  }

  #writeLine(output: Output, line: string): Promise<void> | undefined {
    const live = this.#liveOutput;
    if (live === undefined || this.#drawn === 0) return output.write(`${line}\n`);
    if (output === live) return output.write(`${eraseLines(this.#drawn)}${line}\n${this.#drawLive()}`);
    void live.write(eraseLines(this.#drawn));
    const ready = output.write(`${line}\n`);
    void live.write(this.#drawLive());
    return ready;
  }

  #redraw(): void {
    void this.#liveOutput?.write(eraseLines(this.#drawn) + this.#drawLive());
  }

  /**
   * Returns the text of the live lines. Lines are cut to the width of the terminal: a wrapped line could not be
   * erased.
   */
  #drawLive(): string {
    const width = (this.#liveOutput?.columns ?? 0) - 1;
    const names = [...this.#live.keys()].sort();
    this.#drawn = names.length;
    return names.map((name) => `${(this.#live.get(name) ?? "").slice(0, width)}\n`).join("");
  }
}
