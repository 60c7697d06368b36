import { contractOf } from "../contract.ts";
import { openapi } from "../openapi/openapi.ts";
import { referencePage } from "./page.ts";

/** The descriptions of a server's interfaces. Each is made when it is asked for, once. */
export interface ApiDocuments {
  /** Returns the AsyncAPI document of the native protocol. */
  readonly asyncapi: () => object;
  /** Returns the OpenAPI document of the HTTP routes. */
  readonly openapi: () => object;
  /** Returns both as one page in HTML. */
  readonly page: () => string;
}

/** Returns the descriptions of a server's interfaces. @param version of the server */
export function apiDocuments(version: string): ApiDocuments {
  const messages = once(() => contractOf(version));
  const routes = once(() => openapi(version));
  return { asyncapi: messages, openapi: routes, page: once(() => referencePage(messages(), routes())) };
}

function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => (made ??= make());
}
