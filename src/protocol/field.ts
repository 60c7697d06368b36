import * as v from "valibot";

/*
 * Schemas of single fields. The message of each describes the allowed values, as the words after "allowed: ".
 */

/** A whole number from `min` to `max`. */
export function whole(min: number, max: number, allowed = `a whole number from ${min} to ${max}`) {
  return v.pipe(v.number(allowed), v.integer(allowed), v.minValue(min, allowed), v.maxValue(max, allowed));
}

/** 0, which switches something off, or a whole number from `min` to `max`. */
export function zeroOr(min: number, max: number) {
  const allowed = `0, or a whole number from ${min} to ${max}`;
  return v.union([v.literal(0), whole(min, max, allowed)], allowed);
}

/** A number from `min` to `max`. */
export function numberWithin(min: number, max: number) {
  const allowed = `a number from ${min} to ${max}`;
  return v.pipe(v.number(allowed), v.minValue(min, allowed), v.maxValue(max, allowed));
}

/** A whole number from 0, for counts, rates and bytes. */
export function count() {
  const allowed = "a whole number from 0";
  return v.pipe(v.number(allowed), v.integer(allowed), v.minValue(0, allowed));
}

/** Seconds from the first sample of the stream: an unrounded double, 0 or more. */
export function time() {
  const allowed = "seconds from 0";
  return v.pipe(v.number(allowed), v.minValue(0, allowed), v.maxValue(Number.MAX_VALUE, allowed));
}

export function flag() {
  return v.boolean("true or false");
}

export function text(allowed = "a string") {
  return v.string(allowed);
}

/** A finite number, for settings and durations. */
export function amount() {
  const allowed = "a finite number";
  return v.pipe(v.number(allowed), v.minValue(-Number.MAX_VALUE, allowed), v.maxValue(Number.MAX_VALUE, allowed));
}
