/**
 * Gives a class the method that compilers of `using` look for where the run time has no `Symbol.dispose`: they use the
 * name that the symbol would have.
 * @param known the symbol of the run time
 */
export function addDispose(prototype: { close(): void }, known: symbol | undefined): void {
  if (known !== undefined) return;
  const value = function (this: typeof prototype): void {
    this.close();
  };
  Object.defineProperty(prototype, Symbol.for("Symbol.dispose"), { value });
}
