import { anyCase, choice, flag, list, type TextFormat, whole } from "./setting.ts";

/** The wire languages by name. Which paths they are spoken on is in `dialects/dialects.ts` and `grpc-methods.ts`. */
export const DIALECT_NAMES = [
  "streamer",
  "deepgram",
  "openai",
  "vosk",
  "assemblyai",
  "speechmatics",
  "twilio",
  "asterisk",
  "riva",
  "google",
] as const;

const NAME_FORMAT: TextFormat = {
  allowed: `names of dialects: ${DIALECT_NAMES.join(", ")}`,
  pattern: anyCase(DIALECT_NAMES),
  isExact: true,
  choices: DIALECT_NAMES,
  accepts: (text) => (DIALECT_NAMES as readonly string[]).includes(text),
};

/** What a client names a model, and the model of this server that is meant. */
const ALIAS = /^([^=]{1,128})=([^=]{1,128})$/;
const ALIAS_FORMAT: TextFormat = {
  allowed: "pairs THEIRS=OURS of a name that clients send and a model here, such as nova-3=whisper",
  pattern: ALIAS.source,
  isExact: true,
  accepts: (text) => ALIAS.test(text),
};

/** What a client gets from a model whose results have no `text`. */
const UNTEXTED = ["fields", "empty"] as const;

/** The settings of all dialects but the native one. */
export const DIALECT_SETTINGS = {
  enabled: {
    ...list(NAME_FORMAT, "dialects that are spoken; the routes of others do not exist", (name) => name.toLowerCase()),
    default: DIALECT_NAMES,
  },
  untexted: choice(
    "fields",
    UNTEXTED,
    "text of a result without `text`; fields: its fields, as name=value; empty: none",
  ),
  extras: flag("off", "the other fields of a result are sent, too, as `streamer`, in dialects in JSON"),
  min_silence_ms: whole(300, 50, 5_000, "ms", "least silence, to end an utterance, that clients of other dialects get"),
  inbox_bytes: whole(
    8_388_608,
    4_096,
    67_108_864,
    "bytes",
    "received messages that a session of another dialect may queue, if that is more than limits.inbox_bytes",
  ),
  models: list(ALIAS_FORMAT, "names that clients of other dialects use for models, such as nova-3=whisper"),
  strict_models: flag("off", "models that are not known are refused in other dialects, too; off: the default is used"),
} as const;

/** Returns the models by the names that clients use for them. */
export function modelAliases(pairs: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    pairs.flatMap((pair): [string, string][] => {
      const [, theirs, ours] = ALIAS.exec(pair) ?? [];
      return theirs === undefined || ours === undefined ? [] : [[theirs.trim(), ours.trim()]];
    }),
  );
}
