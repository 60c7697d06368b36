import { describeValue } from "../../../lib/excerpt.ts";
import { ProtocolError } from "../../../protocol/errors.ts";
import type { AudioFormat } from "../../../protocol/format.ts";
import type { Input } from "../../dialect.ts";
import type { FileRoute } from "../../files/file-route.ts";
import { RawFramer } from "../../files/raw-framer.ts";
import { checkContentEncoding, fileTraits, maxFileBytes } from "../../files/upload-checks.ts";
import { chooseModel } from "../../models.ts";
import { sessionUuid } from "../../session-uuid.ts";
import { startInput } from "../../start-input.ts";
import { readListen } from "../query.ts";
import { deepgram, startFields } from "../route.ts";
import { refuse } from "./answers.ts";
import { RecordedDialect } from "./dialect.ts";
import { readFileQuery } from "./query.ts";

/** Deepgram's API for recorded audio, version 1. */
export const recorded: FileRoute = {
  dialect: "deepgram",
  paths: deepgram.paths,
  credentials: (request) => deepgram.credentials(request, false),
  refuse,
  open({ headers, url }, config, models) {
    const { limits, dialects } = config;
    checkContentEncoding(headers);
    checkContentType(headers.get("content-type"));
    const query = new URL(url).searchParams;
    const listen = { ...readListen(query, limits.max_channels), interims: false };
    const { multichannel, utterances, splitMs } = readFileQuery(query);
    const chosen = chooseModel(listen.model, models, dialects);
    const endpointing = splitMs ?? listen.endpointing;
    const fields = startFields({ ...listen, endpointing }, chosen, dialects.min_silence_ms);
    const start = (format: AudioFormat): Input => startInput({ ...fields, format }, limits.max_channels);
    const created = new Date().toISOString();
    const { untexted } = dialects;
    const extras = dialects.extras === "on";
    const common = { format: listen.format, mixes: !multichannel, start, untexted, created, utterances, extras };
    return {
      dialect: "deepgram",
      pattern: chosen.pattern,
      model: chosen.model?.name,
      traits: fileTraits(),
      framer: new RawFramer(),
      maxFileBytes: maxFileBytes(config),
      maxBytes: maxFileBytes(config),
      keepsFile: false,
      create: (session) => new RecordedDialect({ ...common, requestId: sessionUuid(session) }),
    };
  },
};

/** Throws ProtocolError when the body says where the audio is, or is a form. */
function checkContentType(type: string | null): void {
  const [name = ""] = (type ?? "").toLowerCase().split(";");
  const found = `Content-Type: found ${describeValue(type ?? undefined)}`;
  if (name.trim() === "application/json") {
    const message = `${found}; allowed: the audio itself as the body. The server fetches nothing, so that no url is taken`;
    throw new ProtocolError("invalid_request", message, { param: "url" });
  }
  if (!name.trim().startsWith("multipart/")) return;
  throw new ProtocolError("invalid_request", `${found}; allowed: the audio itself as the body, not a form`);
}
