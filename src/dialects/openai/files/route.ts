import { bearerToken, ticketOf } from "../../../protocol/credentials.ts";
import type { FileRoute } from "../../files/file-route.ts";
import { FormFramer } from "../../files/form-framer.ts";
import { boundaryOf } from "../../files/multipart.ts";
import { checkContentEncoding, fileTraits, maxFileBytes } from "../../files/upload-checks.ts";
import { chooseModel, type ChosenModel } from "../../models.ts";
import { FILE_FIELD, TranscriptionDialect } from "./dialect.ts";
import { refuse } from "./errors.ts";

/** Most bytes of a form beside its file: its fields, and the heads of its parts. */
const FORM_BYTES = 1024 * 1024;

/** Options of models that a form can set. */
const OPTIONS: readonly string[] = ["language", "prompt", "vocabulary"];

/** OpenAI's audio transcriptions. */
export const transcriptions: FileRoute = {
  dialect: "openai",
  paths: ["/v1/audio/transcriptions"],
  credentials: (request) => ({ token: bearerToken(request.headers), ticket: ticketOf(request) }),
  refuse,
  open({ headers }, config, models) {
    const { limits, dialects } = config;
    checkContentEncoding(headers);
    const boundary = boundaryOf(headers.get("content-type"));
    const fileBytes = maxFileBytes(config);
    let chosen: ChosenModel = chooseModel(undefined, models, dialects);
    const choose = (name: string | undefined): ChosenModel => (chosen = chooseModel(name, models, dialects));
    const onlyModel = models.length === 1 && dialects.strict_models === "off" ? chosen : undefined;
    const takesOptions = chosen.model?.options?.some((option) => OPTIONS.includes(option)) === true;
    return {
      dialect: "openai",
      // The name of the model is in the form, so this may change until the stream starts.
      get pattern() {
        return chosen.pattern;
      },
      traits: fileTraits(),
      framer: new FormFramer(boundary, FILE_FIELD, fileBytes),
      maxFileBytes: fileBytes,
      maxBytes: fileBytes + FORM_BYTES,
      // A field that may still come can change the model, or its options.
      keepsFile: onlyModel === undefined || takesOptions,
      create: () => new TranscriptionDialect({ choose, onlyModel, maxChannels: limits.max_channels, dialects }),
    };
  },
};
