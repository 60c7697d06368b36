/** Largest difference of two close numbers, relative to the larger one. */
const TOLERANCE = 1e-3;

/** `equal`: to the last bit. `close`: equal but for rounding of numbers. */
export type Similarity = "equal" | "close" | "different";

/** Compares two values, field by field. */
export function compareValues(a: unknown, b: unknown): Similarity {
  if (Object.is(a, b)) return "equal";
  if (typeof a === "number" && typeof b === "number") {
    return Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b), TOLERANCE) ? "close" : "different";
  }
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return "different";
  const [fieldsOfA, fieldsOfB] = [Object.entries(a), Object.entries(b)];
  if (fieldsOfA.length !== fieldsOfB.length) return "different";
  let least: Similarity = "equal";
  for (const [key, value] of fieldsOfA) {
    const found = Object.hasOwn(b, key) ? compareValues(value, (b as Record<string, unknown>)[key]) : "different";
    if (found === "different") return found;
    if (found === "close") least = found;
  }
  return least;
}
