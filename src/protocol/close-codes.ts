import { type ErrorRow, ERRORS } from "./errors.ts";

/** Close codes that the server sends without an error of the table, and what they mean. */
const OTHERS: Readonly<Record<number, string>> = {
  1000: "The stream was stopped with `disconnect`.",
  1001: "The server is shutting down.",
  1002: "The client has broken the rules of WebSockets: reserved bits or opcodes, frames without a mask, wrong fragments.",
  1007: "A text message, or the reason of a close, is not UTF-8.",
  1009: "A message is above twice the larger of the two limits of size, and did not reach the session.",
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
  const codes = new Set([...Object.keys(OTHERS).map(Number), ...rows.flatMap(([, { close }]) => close ?? [])]);
  return [...codes]
    .sort((a, b) => a - b)
    .map((code) => {
      const errors = rows.filter(([, { close }]) => close === code).map(([name]) => name);
      const meaning = OTHERS[code];
      return { code, ...(meaning !== undefined && { meaning }), errors };
    });
}
