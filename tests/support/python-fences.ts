import { readDocuments } from "./documents.ts";

/** A model in Python that a document shows. */
export interface ShownModel {
  /** Page and `name` of the model. */
  readonly title: string;
  readonly text: string;
  readonly needsNumPy: boolean;
}

/** Returns the models in the `python` fences of all documents. Every such fence must be a model. */
export async function shownModels(): Promise<ShownModel[]> {
  const documents = await readDocuments();
  return documents.flatMap(({ path, text }) =>
    [...text.matchAll(/^```python\n([^]*?)^```$/gm)].map(([, code = ""]) => ({
      title: `${/^name = "(.+)"$/m.exec(code)?.[1]} in ${path}`,
      text: code,
      needsNumPy: /^import numpy\b/m.test(code),
    })),
  );
}
