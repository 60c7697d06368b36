/** Most bytes of the reason in a close frame. */
const MAX_REASON_BYTES = 123;

/** Returns `NAME: MESSAGE` for a close frame: as much of it as fits, and no half character. */
export function closeReason(name: string, message: string): string {
  const reason = Buffer.from(message === "" ? name : `${name}: ${message.toWellFormed()}`);
  if (reason.length <= MAX_REASON_BYTES) return reason.toString();
  // A character that is cut becomes one that is longer than its bytes.
  return reason
    .subarray(0, MAX_REASON_BYTES)
    .toString()
    .replace(/\uFFFD+$/, "");
}
