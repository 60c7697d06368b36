import { CURSOR_AT_END, CURSOR_AT_START, type LiveLines } from "./live-lines.ts";
import type { Output } from "./output.ts";
import { cutStart, cutText, GAP, hangText } from "./wrapped-text.ts";

/** Codes of SGR, the ANSI sequence for text style. */
const COLOURS = { dim: 2, red: 31, green: 32, yellow: 33, magenta: 35, cyan: 36 };

export type Colour = keyof typeof COLOURS;

/** A live line, and how many of its first columns stay when it is cut at the start of its text. */
interface LiveLine {
  readonly text: string;
  readonly keep?: number | undefined;
}

/** Work that is shorter is not shown. */
const SHOWN_AFTER_MS = 1_000;

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
  readonly #lines: LiveLines;
  /** The live lines by name. */
  readonly #live = new Map<string, LiveLine>();
  /** The live lines on the terminal now. */
  #drawn: readonly string[] = [];

  constructor(out: Output, err: Output, options: { readonly colour: boolean }) {
    this.#out = out;
    this.#err = err;
    this.#liveOutput = [err, out].find((output) => output.isTerminal);
    this.#colour = options.colour;
    this.#lines = this.#liveOutput?.isXtermJs === true ? CURSOR_AT_END : CURSOR_AT_START;
    this.#liveOutput?.onResize?.(() => {
      if (this.#drawn.length > 0) this.#redraw();
    });
  }

  /** True if results go to a terminal, where live lines can replace them. */
  get resultsOnTerminal(): boolean {
    return this.#out.isTerminal;
  }

  /** True if notices go to a terminal. */
  get noticesOnTerminal(): boolean {
    return this.#err.isTerminal;
  }

  /**
   * Prints a result, one line. On a terminal, a longer line is broken at spaces and continued at the column `indent`, if
   * that is given, and `tail` follows in one piece. Returns a promise if the output cannot take more now.
   */
  print(line: string, indent?: number, tail = ""): Promise<void> | undefined {
    return this.#writeLine(this.#out, line, indent, tail);
  }

  /** Prints a notice, as `print` does a result. */
  notice(line: string, indent?: number): Promise<void> | undefined {
    return this.#writeLine(this.#err, line, indent);
  }

  /**
   * Sets a live line, or removes it. The lines are sorted by name. One that is wider than the terminal loses its end, or
   * with `keep` the text behind its first `keep` columns loses its start. No effect without a terminal.
   */
  setLive(name: string, text: string | undefined, keep?: number): void {
    if (this.#liveOutput === undefined || this.#live.get(name)?.text === text) return;
    if (text === undefined) this.#live.delete(name);
    else this.#live.set(name, { text, keep });
    this.#redraw();
  }

  /** Shows a live line while `work` lasts, if it takes longer than a moment. Settles as it does. */
  async during<Value>(line: string, work: Promise<Value>): Promise<Value> {
    const timer = setTimeout(() => this.setLive("waiting", line), SHOWN_AFTER_MS);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
      this.setLive("waiting", undefined);
    }
  }

  /** Removes all live lines. */
  clearLive(): void {
    this.#live.clear();
    if (this.#drawn.length > 0) this.#redraw();
  }

  /** Colours text of a result. Returns it unchanged if results do not go to a terminal. */
  paint(colour: Colour, text: string): string {
    return this.#colour && this.#out.isTerminal ? `\u001B[${COLOURS[colour]}m${text}\u001B[0m` : text;
  }

  #writeLine(output: Output, text: string, indent: number | undefined, tail = ""): Promise<void> | undefined {
    const isWrapped = output.isTerminal && indent !== undefined;
    const whole = tail === "" ? text : `${text}${GAP}${tail}`;
    const line = isWrapped ? hangText(text, output.columns - 1, indent, tail) : whole;
    const live = this.#liveOutput;
    if (live === undefined || this.#drawn.length === 0) return output.write(`${line}\n`);
    if (output === live) return output.write(`${this.#eraseLive()}${line}\n${this.#drawLive()}`);
    void live.write(this.#eraseLive());
    const ready = output.write(`${line}\n`);
    void live.write(this.#drawLive());
    return ready;
  }

  #redraw(): void {
    void this.#liveOutput?.write(this.#eraseLive() + this.#drawLive());
  }

  #eraseLive(): string {
    const drawn = this.#drawn;
    return drawn.length === 0 ? "" : this.#lines.erase(drawn, this.#liveOutput?.columns ?? 0);
  }

  /** Returns the text that draws the live lines, cut to the size of the terminal. */
  #drawLive(): string {
    const { columns = 0, rows = 0 } = this.#liveOutput ?? {};
    const names = [...this.#live.keys()].sort().slice(0, Math.max(1, rows - 1));
    this.#drawn = names.map((name) => {
      const { text, keep } = this.#live.get(name) ?? { text: "" };
      return keep === undefined ? cutText(text, columns - 1) : cutStart(text, columns - 1, keep);
    });
    return names.length === 0 ? "" : this.#lines.draw(this.#drawn);
  }
}
