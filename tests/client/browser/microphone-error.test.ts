import { expect, test } from "bun:test";

import { microphoneError } from "../../../src/client/browser/microphone-error.ts";

test.each([
  ["NotAllowedError", "denied"],
  ["SecurityError", "denied"],
  ["NotFoundError", "not_found"],
  ["OverconstrainedError", "not_found"],
  ["NotReadableError", "busy"],
  ["AbortError", "unavailable"],
] as const)("%s of the browser is %s", (name, code) => {
  const cause = new DOMException("no", name);
  expect(microphoneError(cause)).toMatchObject({ name: "MicrophoneError", code, cause });
});
