/**
 * - `insecure`: the page came over plain HTTP, and not from this machine.
 * - `denied`: the user, the browser or its policy refuses.
 * - `not_found`: there is no microphone, or not this one.
 * - `busy`: it cannot be opened; another program may be using it.
 * - `gone`: it was unplugged, or taken away, while it recorded.
 * - `overrun`: what it recorded was not read for too long.
 * - `unavailable`: something else; `cause` has the error of the browser.
 */
export type MicrophoneErrorCode = "insecure" | "denied" | "not_found" | "busy" | "gone" | "overrun" | "unavailable";

/** A microphone cannot be used, or not any more. The message is a sentence for a person. */
export class MicrophoneError extends Error {
  override readonly name = "MicrophoneError";
  readonly code: MicrophoneErrorCode;

  constructor(code: MicrophoneErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The errors of `getUserMedia`. */
const REASONS: Readonly<Record<string, readonly [MicrophoneErrorCode, string]>> = {
  NotAllowedError: ["denied", "This page may not use the microphone: allow it in the browser, beside the address."],
  SecurityError: ["denied", "This page may not use the microphone: its policy forbids it."],
  NotFoundError: ["not_found", "No microphone was found."],
  NotReadableError: ["busy", "The microphone cannot be opened: another program may be using it."],
  OverconstrainedError: ["not_found", "This microphone is gone: choose another one."],
};

/** Returns the error for what a browser has thrown. */
export function microphoneError(cause: unknown): MicrophoneError {
  const name = cause instanceof Error ? cause.name : "";
  const [code, message] = REASONS[name] ?? ["unavailable", `The microphone cannot be opened: ${String(cause)}`];
  return new MicrophoneError(code, message, { cause });
}
