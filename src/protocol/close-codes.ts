import { type ErrorRow, ERRORS } from "./errors.ts";

/** What the codes mean. Some are sent without an error of the table. */
const MEANINGS: Readonly<Record<number, string>> = {
  1000: "The stream was stopped with `disconnect`.",
  1001: "The server is shutting down.",
  1002: "The client has broken the rules of WebSockets: reserved bits or opcodes, frames without a mask, wrong fragments.",
  1007: "A text message, or the reason of a close, is not UTF-8.",
  1008: "A limit of the server, or a token that is not valid any more.",
  1009: "A message is too large. One above twice the larger of the two limits has no error before.",
  1011: "The server has an internal fault.",
  1013: "The server has no capacity left.",
};

/** A code with which the server closes WebSockets. */
export interface CloseCode {
  readonly code: number;
  readonly meaning?: string;
  /** Codes of the errors that come before. */
  readonly errors: readonly string[];
}

/** Returns the close codes of the native protocol, in order. */
export function closeCodes(): CloseCode[] {
  const rows: [string, ErrorRow][] = Object.entries(ERRORS);
  const codes = new Set([...Object.keys(MEANINGS).map(Number), ...rows.flatMap(([, { close }]) => close ?? [])]);
  return [...codes]
    .sort((a, b) => a - b)
    .map((code) => {
      const errors = rows.filter(([, { close }]) => close === code).map(([name]) => name);
      const meaning = MEANINGS[code];
      return { code, ...(meaning !== undefined && { meaning }), errors };
    });
}
