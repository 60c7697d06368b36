// Prints what tools find in the documents, and writes types for the routes. Arguments: AsyncAPI, OpenAPI, types.

import { readFile, writeFile } from "node:fs/promises";

import { Parser } from "@asyncapi/parser";
import { createConfig, lint } from "@redocly/openapi-core";
import openapiTypescript, { astToString } from "openapi-typescript";

const [asyncapi, openapi, types] = process.argv.slice(2);

const { document, diagnostics } = await new Parser().parse(await readFile(asyncapi, "utf8"));
const told = diagnostics.map(({ code, path }) => `${code} ${path.join(".")}`);
console.log(JSON.stringify({ tool: "parser", problems: document === undefined ? ["no document", ...told] : told }));

const config = await createConfig({ extends: ["recommended-strict"] });
const problems = await lint({ ref: openapi, config });
const places = problems.map(({ ruleId, location }) => `${ruleId} ${location[0]?.pointer}`);
console.log(JSON.stringify({ tool: "lint", problems: places }));

await writeFile(types, astToString(await openapiTypescript(new URL(`file://${openapi}`))));
