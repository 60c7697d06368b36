import type { ResumeProgress } from "../../client/connect-options.ts";
import type { Screen } from "../terminal/screen.ts";

/** Prints what becomes of a lost connection. */
export function printResume({ state, cause }: ResumeProgress, screen: Screen): void {
  const text =
    state === "lost"
      ? `${cause.message}: reconnecting, to go on with the stream`
      : "reconnected: the stream goes on, and what was lost has been sent again";
  void screen.notice(text, 2);
}
