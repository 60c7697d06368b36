import { readDocuments } from "./documents.ts";

/** A model in Python that a document shows. */
export interface ShownModel {
  /** Page and `name` of the model. */
  readonly title: string;
  readonly text: string;
  readonly needsNumPy: boolean;
}

/** Returns the models in the `python` fences of all documents. Every such fence must be a model, or be a client. */
export async function shownModels(): Promise<ShownModel[]> {
  const documents = await readDocuments();
  return documents.flatMap(({ path, text }) =>
    modelsIn(text).map((code) => ({
      title: `${/^name = "(.+)"$/m.exec(code)?.[1]} in ${path}`,
      text: code,
      needsNumPy: /^import numpy\b/m.test(code),
    })),
  );
}

/** Returns the programs in the `python` fences of a document that use the client library. */
export function clientPrograms(markdown: string): string[] {
  return fences(markdown).filter(usesClient);
}

function modelsIn(markdown: string): string[] {
  return fences(markdown).filter((code) => !usesClient(code) && !usesGrpc(code));
}

function fences(markdown: string): string[] {
  return [...markdown.matchAll(/^```python\n([^]*?)^```$/gm)].map(([, code = ""]) => code);
}

function usesClient(code: string): boolean {
  return /^from streamer_client import /m.test(code);
}

function usesGrpc(code: string): boolean {
  return /^(?:import (?:grpc|riva)\b|from google\.cloud )/m.test(code);
}
