import { Terminal } from "@xterm/headless";

/** What a terminal shows: an emulator that is written to. */
export class TerminalView {
  readonly #terminal: Terminal;

  constructor(columns: number, rows = 24) {
    // Pipes and programs end lines with a line feed; the driver of a real terminal adds the carriage return.
    this.#terminal = new Terminal({
      cols: columns,
      rows,
      allowProposedApi: true,
      convertEol: true,
      scrollback: 10_000,
    });
  }

  async write(text: string | Uint8Array): Promise<void> {
    await new Promise<void>((resolve) => this.#terminal.write(text, resolve));
  }

  /** Changes the size, as the user does with the mouse. Long lines are wrapped anew. */
  resize(columns: number, rows = this.#terminal.rows): void {
    this.#terminal.resize(columns, rows);
  }

  /** Lines up to the last one that is not empty, without spaces at their ends; also those that scrolled away. */
  get lines(): string[] {
    const { buffer } = this.#terminal;
    const lines = Array.from({ length: buffer.active.length }, (_, i) => {
      return buffer.active.getLine(i)?.translateToString(true) ?? "";
    });
    while (lines.at(-1) === "") lines.pop();
    return lines;
  }
}

/** Returns the lines that a terminal shows after this text. */
export async function linesShown(text: string, columns: number, rows?: number): Promise<string[]> {
  const view = new TerminalView(columns, rows);
  await view.write(text);
  return view.lines;
}
