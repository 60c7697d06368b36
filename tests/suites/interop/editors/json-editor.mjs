// What VS Code shows in JSON files: `node json-editor.mjs SCHEMA DOCUMENTS`. DOCUMENTS is a JSON array of texts, in which
// a vertical bar is the cursor. Prints a line for each: { problems, completions, hover }.

import { readFileSync } from "node:fs";

import service from "vscode-json-languageservice";

const [schemaPath, documents] = process.argv.slice(2);
const schema = readFileSync(schemaPath, "utf8");
const language = service.getLanguageService({ schemaRequestService: async () => schema });
language.configure({ validate: true });

for (const [index, marked] of JSON.parse(documents).entries()) {
  const cursor = marked.indexOf("|");
  const text = marked.replace("|", "");
  const document = service.TextDocument.create(`file:///${index}.json`, "json", 1, text);
  const tree = language.parseJSONDocument(document);
  const problems = await language.doValidation(document, tree);
  const place = document.positionAt(Math.max(0, cursor));
  const list = cursor === -1 ? undefined : await language.doComplete(document, place, tree);
  const hover = cursor === -1 ? undefined : await language.doHover(document, place, tree);
  console.log(
    JSON.stringify({
      problems: problems.map(({ message }) => message),
      completions: (list?.items ?? []).map(({ label }) => label),
      hover: JSON.stringify(hover?.contents ?? ""),
    }),
  );
}
