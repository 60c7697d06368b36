import { expect, test } from "bun:test";

import { addDispose } from "../../src/client/dispose.ts";

class Closing {
  closed = 0;
  close(): void {
    this.closed += 1;
  }
}

test("a run time without the symbol gets the name that compilers use", () => {
  const name = Symbol.for("Symbol.dispose");
  addDispose(Closing.prototype, Symbol.dispose);
  expect(name in Closing.prototype).toBe(false);
  addDispose(Closing.prototype, undefined);
  const closing = new Closing();
  (closing as unknown as Record<symbol, () => void>)[name]?.();
  expect(closing.closed).toBe(1);
});
