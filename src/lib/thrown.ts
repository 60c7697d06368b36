/** Returns the message of a thrown value, which in JavaScript need not be an Error. Never throws. */
export function messageOf(error: unknown): string {
  try {
    if (error instanceof Error) return String(error.message) || String(error.name);
    if (typeof error !== "object" || error === null) return String(error);
    if ("message" in error && typeof error.message === "string") return error.message;
    const text = String(error);
    // The default of objects says nothing.
    return text.startsWith("[object ") ? JSON.stringify(error) : text;
  } catch {
    return "a value without a text";
  }
}

/** Returns the code of a system error, such as `ENOENT`; undefined for any other value. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error ? String(error.code) : undefined;
}
