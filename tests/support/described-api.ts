import addFormats from "ajv-formats";
import Ajv2020 from "ajv/dist/2020.js";

type Json = Readonly<Record<string, unknown>>;
interface Media {
  readonly schema?: Json;
}
interface DescribedResponse {
  readonly content?: Readonly<Record<string, Media>>;
  readonly headers?: Json;
  readonly $ref?: string;
}
interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, DescribedResponse>>;
}
type PathItem = Readonly<Record<string, Operation>>;

/** An OpenAPI document, to which responses are compared. */
export class DescribedApi {
  /** The status of every response that has been compared, behind the operation: `getHealth 200`. */
  readonly seen = new Set<string>();
  readonly #document: Json;
  readonly #ajv = addFormats(new Ajv2020({ strict: false, allErrors: true }));

  /** @param document objects in it may have no other properties than those that it names, unless it says so */
  constructor(document: object) {
    this.#document = closed(document) as Json;
    this.#ajv.addSchema({ $id: "api", ...this.#document });
  }

  /** Operations as `GET /metrics`. */
  operations(): string[] {
    return Object.entries(this.#document["paths"] as Readonly<Record<string, PathItem>>).flatMap(([path, item]) =>
      ["get", "post", "put", "patch", "delete"]
        .filter((method) => method in item)
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
  }

  /** Everything that responses may be, as in `seen`. */
  documented(): string[] {
    return this.operations().flatMap((name) => {
      const { operationId, responses } = this.#operation(name);
      return Object.keys(responses).map((status) => `${operationId} ${status}`);
    });
  }

  /** Throws an Error when a response is not as described. @param name such as `GET /metrics` @returns its body */
  async check(name: string, response: Response): Promise<unknown> {
    const { operationId, responses } = this.#operation(name);
    const { status, headers } = response;
    const text = await response.text();
    const told = `${name}: ${status} ${text.slice(0, 500)}`;
    const found = responses[String(status)];
    if (found === undefined) throw new Error(`${told} is not described`);
    this.seen.add(`${operationId} ${status}`);
    const { content = {}, headers: described = {} } = found.$ref === undefined ? found : this.#resolve(found.$ref);
    for (const header of ["retry-after", "www-authenticate", "etag"]) {
      const names = Object.keys(described).map((each) => each.toLowerCase());
      if (headers.has(header) && !names.includes(header)) throw new Error(`${told} has a header ${header}`);
    }
    const [type = ""] = (headers.get("content-type") ?? "").split(";");
    const media = content[type];
    if (media === undefined) {
      if (text === "" && Object.keys(content).length === 0) return undefined;
      throw new Error(`${told} has the type ${type}; described: ${Object.keys(content).join(", ")}`);
    }
    if (type !== "application/json") return text;
    const body: unknown = JSON.parse(text);
    this.#validate(media.schema ?? {}, body, told);
    return body;
  }

  /** Throws an Error when a value is not as a component describes. */
  validate(component: string, value: unknown): void {
    this.#validate({ $ref: `#/components/schemas/${component}` }, value, component);
  }

  /** Throws an Error when a value is not of a schema of the document. */
  validateAs(schema: object, value: unknown): void {
    this.#validate(schema as Json, value, JSON.stringify(value));
  }

  #validate(schema: Json, value: unknown, told: string): void {
    const validate = this.#ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"api#/')) as Json);
    if (!validate(value)) throw new Error(`${told}: ${this.#ajv.errorsText(validate.errors)}`);
  }

  #operation(name: string): Operation {
    const [method = "", path = ""] = name.split(" ");
    const item = (this.#document["paths"] as Readonly<Record<string, PathItem>>)[path];
    const operation = item?.[method.toLowerCase()];
    if (operation === undefined) throw new Error(`${name} is not described`);
    return operation;
  }

  #resolve(reference: string): DescribedResponse {
    return reference
      .slice(2)
      .split("/")
      .reduce<unknown>((at, key) => (at as Json)[key], this.#document) as DescribedResponse;
  }
}

/** Lets objects have no other properties than those that are named. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([key, each]) => [key, closed(each)]));
  const isOpen = !("properties" in value) || !("type" in value) || "additionalProperties" in value;
  return isOpen ? inner : { ...inner, additionalProperties: false };
}
