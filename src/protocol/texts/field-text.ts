/** What a field means, for the API description. */
export interface FieldText {
  readonly description: string;
  /** Name of its type in generated code, if it has one. */
  readonly title?: string;
  /** Unit of a number, such as `ms`; undefined: it has none. */
  readonly "x-unit"?: string;
  /** The default where it is no constant, in words. */
  readonly "x-default"?: string;
}

/** What an object means, and its fields by name. A field that is an object with a name of its own has its text there. */
export interface ObjectText {
  readonly description: string;
  readonly fields: Readonly<Record<string, string | FieldText>>;
}

/** Returns the function that describes numbers of a unit. */
function inUnit(unit: string) {
  return (description: string, byDefault?: string): FieldText => ({
    description,
    "x-unit": unit,
    ...(byDefault !== undefined && { "x-default": byDefault }),
  });
}

export const ms = inUnit("ms");
export const seconds = inUnit("s");
export const hertz = inUnit("Hz");
export const bytes = inUnit("bytes");
export const samples = inUnit("samples");
export const frames = inUnit("frames");
export const decibels = inUnit("dB");
export const fullScale = inUnit("dBFS");

/** A field that has this default, in words, when it is absent. */
export function defaulting(description: string, byDefault: string): FieldText {
  return { description, "x-default": byDefault };
}
