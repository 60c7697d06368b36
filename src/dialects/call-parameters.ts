import type { CallWishes } from "./call-dialect.ts";

/** Most characters of the name of a call, and of the value of a parameter that watchers see. */
export const MAX_PARAMETER_CHARACTERS = 1_024;

/** Returns what a call asks for by named parameters. @param value returns one of them; undefined: it is not there */
export function wishesIn(value: (name: string) => string | undefined): CallWishes {
  return {
    model: presentText(value("model")),
    language: presentText(value("language")),
    interimResults: /^true$/i.test(value("interim_results") ?? ""),
  };
}

/** Returns a parameter as watchers see it; empty for what is neither a text nor a number nor true or false. */
export function parameterText(value: unknown): string {
  const isText = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
  return (isText ? String(value) : "").slice(0, MAX_PARAMETER_CHARACTERS).toWellFormed();
}

/** Returns a text that is not empty, within MAX_PARAMETER_CHARACTERS; undefined: there is none. */
export function presentText(text: string | null | undefined): string | undefined {
  return text === undefined || text === null || text === "" ? undefined : parameterText(text);
}
