import { contractOf } from "../contract.ts";
import { openapi } from "../openapi/openapi.ts";
import { referencePage } from "./page.ts";

/** The descriptions of a server's interfaces. Each is made when it is asked for, once. */
export class ApiDocuments {
  readonly #version: string;
  #asyncapi: object | undefined;
  #openapi: object | undefined;
  #page: string | undefined;

  /** @param version of the server */
  constructor(version: string) {
    this.#version = version;
  }

  /** The AsyncAPI document of the native protocol. */
  get asyncapi(): object {
    return (this.#asyncapi ??= contractOf(this.#version));
  }

  /** The OpenAPI document of the HTTP routes. */
  get openapi(): object {
    return (this.#openapi ??= openapi(this.#version));
  }

  /** Both as one page in HTML. */
  get page(): string {
    return (this.#page ??= referencePage(this.asyncapi, this.openapi));
  }
}
