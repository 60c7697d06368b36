import * as v from "valibot";

/** A saved state is not one that this program could have saved. */
export class InvalidState extends Error {
  override readonly name = "InvalidState";
}

/** A position or a number of samples. */
export const samples = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

/** Returns a saved state with its type. Throws InvalidState. */
export function readState<Output>(schema: v.GenericSchema<unknown, Output>, saved: unknown): Output {
  const result = v.safeParse(schema, saved);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new InvalidState(`a saved state has no valid ${v.getDotPath(issue) ?? "form"}`);
}
