/** `google.protobuf.Struct`: the fields of a JSON object. */
export interface Struct {
  readonly fields?: Readonly<Record<string, Value>>;
}

/** `google.protobuf.Value`, with one of its fields; without any it counts as null. */
export interface Value {
  readonly nullValue?: 0;
  readonly numberValue?: number;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly structValue?: Struct;
  readonly listValue?: { readonly values?: readonly Value[] };
}

/** Returns the struct of an object as JSON has it: what JSON leaves out is left out. */
export function toStruct(object: Readonly<Record<string, unknown>>): Struct {
  const entries = Object.entries(object).filter(([, value]) => value !== undefined);
  // An assignment to `__proto__` would leave it out.
  return { fields: Object.fromEntries(entries.map(([key, value]) => [key, toValue(value)])) };
}

/** Returns the object that a struct stands for. */
export function fromStruct({ fields = {} }: Struct): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, fromValue(value)]));
}

function toValue(value: unknown): Value {
  switch (typeof value) {
    case "string":
      return { stringValue: value };
    case "boolean":
      return { boolValue: value };
    case "number":
      // JSON has no others.
      return Number.isFinite(value) ? { numberValue: value } : { nullValue: 0 };
    case "object":
      if (value === null) return { nullValue: 0 };
      if (Array.isArray(value)) return { listValue: { values: value.map(toValue) } };
      return { structValue: toStruct(value as Record<string, unknown>) };
    default:
      return { nullValue: 0 };
  }
}

function fromValue(value: Value): unknown {
  if (value.structValue !== undefined) return fromStruct(value.structValue);
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(fromValue);
  return value.stringValue ?? value.numberValue ?? value.boolValue ?? null;
}
