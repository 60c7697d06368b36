import { describeValue } from "../../lib/excerpt.ts";
import { ProtocolError } from "../../protocol/errors.ts";

/** The headers of a part of a form, as far as they matter. */
export interface PartHead {
  /** Name of the field. */
  readonly name: string;
  /** Undefined: the part is no file. */
  readonly filename: string | undefined;
  /** `Content-Type`; undefined: it has none. */
  readonly type: string | undefined;
}

/** No two neighbours of these match the same characters, so that a long line takes no longer than its length. */
const HEADER = /^([A-Za-z0-9!#$%&'*+\-.^_`|~]+):([^\r\n\0]*)$/;
const DISPOSITION = /^form-data((?:[ \t]*;[ \t]*[^\s=;"]+=(?:"(?:[^"\\]|\\.)*"|[^\s;"]*))*)[ \t]*(?:;[ \t]*)?$/i;
const PARAMETER = /;[ \t]*([^\s=;"]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))/g;
/** Encodings that change nothing. Others are of mail, and no client of HTTP has them. */
const PLAIN: readonly string[] = ["7bit", "8bit", "binary"];

/** Reads the header lines of a part. Throws ProtocolError when they are not those of a field. */
export function readPartHead(text: string): PartHead {
  let disposition: string | undefined;
  let type: string | undefined;
  for (const line of text.split("\r\n")) {
    const [, name = "", value = ""] = HEADER.exec(line) ?? [];
    if (name === "") throw invalid(`header: found ${describeValue(line)}; allowed: NAME: VALUE`);
    switch (name.toLowerCase()) {
      case "content-disposition":
        if (disposition !== undefined) throw invalid("Content-Disposition: found two; allowed: one");
        disposition = value.trim();
        break;
      case "content-type":
        type = value.trim();
        break;
      case "content-transfer-encoding":
        if (PLAIN.includes(value.trim().toLowerCase())) break;
        throw invalid(`Content-Transfer-Encoding: found ${describeValue(value)}; allowed: ${PLAIN.join(", ")}`);
    }
  }
  const parameters = parametersOf(disposition);
  const name = parameters.get("name");
  if (name === undefined)
    throw invalid("Content-Disposition: found no name; allowed: form-data with the name of a field");
  const filename = parameters.get("filename") ?? parameters.get("filename*");
  return { name, filename, type };
}

function parametersOf(disposition: string | undefined): ReadonlyMap<string, string> {
  const [, list] = DISPOSITION.exec(disposition ?? "") ?? [];
  if (list === undefined) {
    throw invalid(`Content-Disposition: found ${describeValue(disposition)}; allowed: form-data; name="FIELD"`);
  }
  const parameters = new Map<string, string>();
  for (const [, name = "", quoted, plain = ""] of list.matchAll(PARAMETER)) {
    const key = name.toLowerCase();
    // curl puts a backslash in front of quotation marks, browsers write %22.
    if (!parameters.has(key)) parameters.set(key, quoted?.replace(/\\(["\\])/g, "$1").replaceAll("%22", '"') ?? plain);
  }
  return parameters;
}

function invalid(message: string): ProtocolError {
  return new ProtocolError("invalid_request", `a part of the form: ${message}`);
}
