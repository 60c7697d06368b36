import { RANGE_FORMAT, spellRange } from "./address-range.ts";
import { DEFAULT_HOST, withoutBrackets } from "./server-address.ts";
import { list, text, type TextFormat, whole } from "./setting.ts";

const LANGUAGE = /^[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8})*$/;
const LANGUAGE_FORMAT: TextFormat = {
  allowed: "languages, such as en or pt-BR",
  pattern: LANGUAGE.source,
  isExact: true,
  accepts: (text) => LANGUAGE.test(text),
};

/** Dialects on ports of their own, where no client can show a token. */
export const WYOMING_SETTINGS = {
  port: whole(0, 0, 65_535, "", "port of the Wyoming protocol, usually 10300; 0: it is off"),
  host: text(DEFAULT_HOST, "address to listen on for the Wyoming protocol", withoutBrackets),
  allow: list(RANGE_FORMAT, "addresses that may use wyoming.port beside loopback; none: all that reach it", spellRange),
  principal: text("none", "name in auth.tokens that clients of wyoming.port count as; none: no tokens are configured"),
  languages: { ...list(LANGUAGE_FORMAT, "languages that Home Assistant shows the server for"), default: ["en"] },
} as const;

export const AUDIOSOCKET_SETTINGS = {
  port: whole(0, 0, 65_535, "", "port of Asterisk's AudioSocket, usually 9092; 0: it is off"),
  host: text(DEFAULT_HOST, "address to listen on for AudioSocket", withoutBrackets),
  allow: list(
    RANGE_FORMAT,
    "addresses that may use audiosocket.port beside loopback; none: all that reach it",
    spellRange,
  ),
  principal: text(
    "none",
    "name in auth.tokens that clients of audiosocket.port count as; none: no tokens are configured",
  ),
} as const;

/** The native protocol over gRPC. Its clients show a token as those of HTTP do, and TLS is that of the server. */
export const GRPC_SETTINGS = {
  port: whole(0, 0, 65_535, "", "port of gRPC, usually 50051; 0: it is off"),
  host: text(DEFAULT_HOST, "address to listen on for gRPC", withoutBrackets),
} as const;

export const VOSK_SETTINGS = {
  port: whole(0, 0, 65_535, "", "port on loopback for clients of vosk-server, which have 2700 built in; 0: none"),
} as const;
