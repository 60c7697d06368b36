import * as source from "../../model/model.ts" with { type: "text" };

/** Says that the file is ours, so that it may be written anew. */
export const TYPES_MARK = "// The model interface of Streamer";
export const TYPES_FILE = "streamer-model.d.ts";

/** The interface `streamer/model` for the type checker of somebody who has nothing but the executable: its very source. */
export function modelTypes(): string {
  // The loader gives text, where the type checker sees the module.
  const { default: text } = source as unknown as { default: string };
  const indented = text.trim().replaceAll(/^(?=.)/gm, "  ");
  return `${TYPES_MARK}: written by \`streamer model init\`, which replaces it.\n\ndeclare module "streamer/model" {\n${indented}\n}\n`;
}
