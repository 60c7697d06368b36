import { describe, expect, test } from "bun:test";

import { LineOutput, OUTPUT_BUFFER_BYTES } from "../../../src/telemetry/log/line-output.ts";

/** No terminal. */
const NO_FD = -1;

/** An output whose reader takes lines when it is told to. */
class Reader {
  /** The lines that were given to the stream. */
  readonly given: string[] = [];
  readonly events: unknown[] = [];
  readonly output: LineOutput;
  readonly #waiting: ((error?: Error) => void)[] = [];

  constructor() {
    const stream = {
      on: () => stream,
      write: (text: string, done: (error?: Error) => void) => {
        this.given.push(text);
        this.#waiting.push(done);
        return false;
      },
    };
    this.output = new LineOutput(stream as unknown as NodeJS.WriteStream, NO_FD, {
      dropped: () => this.events.push("dropped"),
      recovered: (lines) => this.events.push({ recovered: lines }),
      failed: (reason, isGone) => this.events.push({ failed: reason, isGone }),
    });
  }

  take(lines = this.#waiting.length): void {
    for (const done of this.#waiting.splice(0, lines)) done();
  }

  /** Refuses one line with the error of a system call. */
  refuse(code: string): void {
    this.#waiting.shift()?.(Object.assign(new Error(code), { code }));
  }
}

const QUARTER = `${"x".repeat(OUTPUT_BUFFER_BYTES / 4 - 1)}\n`;

describe("the output of a program that does not wait for its reader", () => {
  test("passes lines on while the reader takes them", () => {
    const reader = new Reader();
    for (let n = 0; n < 20; n++) {
      reader.output.write(QUARTER);
      reader.take();
    }
    expect(reader.given).toHaveLength(20);
    expect(reader.output.waiting).toBe(0);
    expect(reader.events).toEqual([]);
  });

  test("keeps what a stuck reader does not take up to a limit, and drops and counts the rest", () => {
    const reader = new Reader();
    for (let n = 0; n < 7; n++) reader.output.write(QUARTER);
    expect(reader.given).toHaveLength(4);
    expect(reader.output.waiting).toBe(OUTPUT_BUFFER_BYTES);
    expect(reader.events).toEqual(["dropped", "dropped", "dropped"]);
  });

  test("reports the dropped lines once the reader has made room, and goes on", () => {
    const reader = new Reader();
    for (let n = 0; n < 6; n++) reader.output.write(QUARTER);
    reader.take(1);
    // There is room for this line, but it would soon be full again.
    reader.output.write(QUARTER);
    expect(reader.given).toHaveLength(4);
    reader.take(2);
    expect(reader.events).toEqual(["dropped", "dropped", "dropped", { recovered: 3 }]);
    reader.output.write(QUARTER);
    reader.take();
    expect(reader.given).toHaveLength(5);
    expect(reader.events).toHaveLength(4);
  });

  test("writes nothing more when its reader is gone, and reports that once", () => {
    for (const code of ["EPIPE", "EIO"]) {
      const reader = new Reader();
      for (let n = 0; n < 3; n++) reader.output.write(`${n}\n`);
      reader.refuse(code);
      reader.refuse(code);
      reader.output.write("after\n");
      expect(reader.given).toEqual(["0\n", "1\n", "2\n"]);
      expect(reader.events).toEqual(["dropped", { failed: code, isGone: true }]);
    }
  });

  test("reports a full disk once, counts the lines that it costs, and goes on when there is room again", () => {
    const reader = new Reader();
    for (let n = 0; n < 3; n++) reader.output.write(`${n}\n`);
    reader.refuse("ENOSPC");
    reader.refuse("ENOSPC");
    expect(reader.events).toEqual(["dropped", { failed: "ENOSPC", isGone: false }, "dropped"]);
    reader.take(1);
    expect(reader.events.at(-1)).toEqual({ recovered: 2 });
    reader.output.write("next\n");
    reader.refuse("ENOSPC");
    expect(reader.events.slice(-2)).toEqual(["dropped", { failed: "ENOSPC", isGone: false }]);
  });

  test("begins a new line after one that a full disk has torn", () => {
    const reader = new Reader();
    for (let n = 0; n < 2; n++) reader.output.write(`${n}\n`);
    reader.refuse("ENOSPC");
    reader.output.write("after\n");
    reader.take();
    reader.output.write("later\n");
    expect(reader.given).toEqual(["0\n", "1\n", "\nafter\n", "later\n"]);
  });

  test("waits at its end until everything has been written, until the reader is gone, or for a limited time", async () => {
    const reader = new Reader();
    await reader.output.flush(60_000);
    reader.output.write("last\n");
    await reader.output.flush(1);
    const flushed = reader.output.flush(60_000);
    reader.take();
    await flushed;
    reader.output.write("lost\n");
    const gone = reader.output.flush(60_000);
    reader.refuse("EPIPE");
    await gone;
  });
});
