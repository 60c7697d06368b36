import { builtInModels } from "../../model/models.ts";
import { parseValueHint } from "../terminal/value-hint.ts";
import { behind, type Candidate, type Completion, NOTHING } from "./completion.ts";

/** Returns how a value can be completed, by its hint. */
export function completeHint(hint: string, text: string): Completion {
  const { words, places, prefixes, isList } = parseValueHint(hint);
  if (isList) {
    const start = text.lastIndexOf(",") + 1;
    const taken = text.slice(0, start).split(",");
    const left = words.filter((word) => !taken.includes(word));
    return { ...NOTHING, before: text.slice(0, start), candidates: left.map(candidate) };
  }
  const prefix = prefixes.find((each) => text.startsWith(each));
  if (prefix !== undefined) return behind(prefix, { ...NOTHING, paths: "files" });
  const models = places.includes("MODEL") ? builtInModels : [];
  const values = [...words, ...models, ...prefixes];
  const fitting = values.filter((value) => value.startsWith(text));
  return {
    ...NOTHING,
    candidates: values.map(candidate),
    isOpen: fitting.length > 0 && fitting.every((value) => prefixes.includes(value)),
    paths: places.includes("FILE") ? "files" : places.includes("DIR") ? "folders" : "none",
  };
}

function candidate(value: string): Candidate {
  return { value };
}
