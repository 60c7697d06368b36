import { DECLARATIONS_MARK, modelDeclarations } from "./declarations.ts";
import pythonStateless from "./templates/model.py" with { type: "text" };
import typescriptStateless from "./templates/model.ts" with { type: "text" };
import typescriptPinned from "./templates/pinned-model.ts" with { type: "text" };
import pythonPinned from "./templates/pinned_model.py" with { type: "text" };
import typescriptStateful from "./templates/stateful-model.ts" with { type: "text" };
import pythonStateful from "./templates/stateful_model.py" with { type: "text" };
import pythonTypes from "./templates/streamer_model.pyi" with { type: "text" };

/** What is kept of a stream between calls: nothing, a state by value, or the stream itself in its worker. */
export type ModelKind = "stateless" | "stateful" | "pinned";

// The imports give text at run time; the type checker sees modules.
const TYPESCRIPT_TEMPLATES = {
  stateless: typescriptStateless,
  stateful: typescriptStateful,
  pinned: typescriptPinned,
} as unknown as Readonly<Record<ModelKind, string>>;

const PYTHON_TEMPLATES: Readonly<Record<ModelKind, string>> = {
  stateless: pythonStateless,
  stateful: pythonStateful,
  pinned: pythonPinned,
};

/** A programming language of model files, as `model init` writes it. */
export interface Language {
  readonly extension: string;
  /** File with the types of the interface, which stands beside the model. */
  readonly typesFile: string;
  /** First words of that file. A file that starts with them may be overwritten. */
  readonly typesMark: string;
  readonly types: () => string;
  /** Names that are refused, because their file would hide a module that the model imports. */
  readonly takenNames: readonly string[];
  /** What has to be installed for the model: a paragraph; undefined: nothing. */
  readonly needs?: string;
  /** Returns the name of a model's file, without extension. */
  fileName(name: string): string;
  /** Returns the text of a model. @param commands with which the author tries it */
  modelText(name: string, kind: ModelKind, commands: readonly string[]): string;
}

export const TYPESCRIPT: Language = {
  extension: ".ts",
  typesFile: "streamer-model.d.ts",
  typesMark: DECLARATIONS_MARK,
  types: modelDeclarations,
  takenNames: [],
  fileName: (name) => name,
  modelText(name, kind, commands) {
    return `/// <reference path="./${this.typesFile}" />
// A model for Streamer. ${this.typesFile} documents the interface. Try it:
${commands.map((command) => `//   ${command}`).join("\n")}

${TYPESCRIPT_TEMPLATES[kind].replace('name: "my-model"', `name: ${JSON.stringify(name)}`)}`;
  },
};

export const PYTHON: Language = {
  extension: ".py",
  typesFile: "streamer_model.pyi",
  typesMark: "# The model interface of Streamer",
  types: () => pythonTypes,
  takenNames: ["numpy", "streamer_model", "typing", "math"],
  needs: `It needs Python 3.9 or newer and NumPy. A folder .venv beside the model is used by itself:
  python3 -m venv .venv && .venv/bin/pip install numpy`,
  // The name of a module has no hyphens.
  fileName: (name) => name.replaceAll("-", "_"),
  modelText(name, kind, commands) {
    return `"""A model for Streamer. ${this.typesFile} documents the interface. Try it:

${commands.join("\n")}
"""

${PYTHON_TEMPLATES[kind].replace('name = "my-model"', `name = ${JSON.stringify(name)}`)}`;
  },
};
