import { PROTOCOL_VERSION } from "../../protocol/version.ts";
import type { RecognitionStarted } from "./messages.ts";
import { WORD_DELIMITER } from "./transcripts.ts";

/** Language where a client names none, as with the SDKs. */
const DEFAULT_LANGUAGE = "en";

const NAMES = new Intl.DisplayNames(["en"], { type: "language" });

/** @param session id of the session @param language as the client names it */
export function recognitionStarted(session: string, language = DEFAULT_LANGUAGE): RecognitionStarted {
  return {
    message: "RecognitionStarted",
    id: session,
    orchestrator_version: `streamer ${PROTOCOL_VERSION}`,
    language_pack_info: { word_delimiter: WORD_DELIMITER, language_description: describeLanguage(language) },
  };
}

/** Returns the English name of a language: "English". */
function describeLanguage(language: string): string {
  try {
    return NAMES.of(language) ?? language;
  } catch {
    // It is no language tag.
    return language.toWellFormed();
  }
}
