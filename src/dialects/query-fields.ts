import * as v from "valibot";

/** Schema of a whole number in a query. The message of an issue says what is allowed. */
export function wholeNumber(min: number, max: number) {
  const allowed = `a whole number from ${min} to ${max}`;
  return v.pipe(
    v.string(allowed),
    v.regex(/^\d{1,9}$/, allowed),
    v.transform(Number),
    v.minValue(min, allowed),
    v.maxValue(max, allowed),
  );
}

/** Schema of a truth value in a query: SDKs write `true`, people who build the URL in Python `True`. */
export function flag() {
  const allowed = "true or false";
  return v.pipe(
    v.string(allowed),
    v.toLowerCase(),
    v.picklist(["true", "false"], allowed),
    v.transform((text) => text === "true"),
  );
}
