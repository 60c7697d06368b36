/** The first fault of a text that is not JSON (RFC 8259). */
export interface JsonFault {
  /** Index of the character, UTF-16; the length of the text if it ends too early. */
  readonly offset: number;
  /** What may stand there. */
  readonly allowed: string;
}

type State = "value" | "firstItem" | "firstKey" | "key" | "colon" | "afterItem" | "afterField" | "end";

const ALLOWED: Readonly<Record<State, string>> = {
  value: "a value",
  firstItem: "a value or ]",
  firstKey: "a key in double quotes or }",
  key: "a key in double quotes",
  colon: ":",
  afterItem: ", or ]",
  afterField: ", or }",
  end: "nothing more",
};

const SPACE = /[ \t\n\r]*/y;
/** A string without its closing quote: where it stops early, the fault is. */
const STRING = /"(?:[^"\\\p{Cc}]|[\u007F-\u009F]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*/uy;
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.+-])/y;

/** Returns the first fault of `text`; undefined if it is JSON. For messages: `JSON.parse` does not say where (Bun 1.4.5). */
export function findJsonFault(text: string): JsonFault | undefined {
  const open: ("array" | "object")[] = [];
  let state: State = "value";
  let offset = 0;

  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = offset;
    const length = pattern.exec(text)?.[0].length ?? 0;
    offset += length;
    return length > 0;
  };
  const afterValue = (): State => {
    const inner = open.at(-1);
    if (inner === undefined) return "end";
    return inner === "array" ? "afterItem" : "afterField";
  };
  const close = (): void => {
    open.pop();
    offset++;
    state = afterValue();
  };

  for (;;) {
    take(SPACE);
    const next = text[offset];
    if (next === undefined && state === "end") return undefined;
    const takesValue: boolean = state === "value" || state === "firstItem";
    const takesKey: boolean = state === "key" || state === "firstKey";
    if ((next === "]" && (state === "firstItem" || state === "afterItem")) || (next === "}" && isFieldEnd(state))) {
      close();
    } else if (next === "," && (state === "afterItem" || state === "afterField")) {
      offset++;
      state = state === "afterItem" ? "value" : "key";
    } else if (next === ":" && state === "colon") {
      offset++;
      state = "value";
    } else if (takesValue && (next === "[" || next === "{")) {
      open.push(next === "[" ? "array" : "object");
      offset++;
      state = next === "[" ? "firstItem" : "firstKey";
    } else if (next === '"' && (takesValue || takesKey)) {
      take(STRING);
      if (text[offset] !== '"') return { offset, allowed: "a closing quote, or a valid escape" };
      offset++;
      state = takesKey ? "colon" : afterValue();
    } else if (takesValue && take(SCALAR)) {
      state = afterValue();
    } else {
      return { offset, allowed: ALLOWED[state] };
    }
  }
}

function isFieldEnd(state: State): boolean {
  return state === "firstKey" || state === "afterField";
}
