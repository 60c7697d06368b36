import { FILE_ROUTES } from "../../dialects/dialects.ts";
import type { Json } from "../../protocol/json-schema.ts";
import { bodySchemas } from "./body-schemas.ts";
import { FILE_OPERATIONS, FORM_SCHEMAS } from "./file-operations.ts";
import { COMMON_RESPONSES } from "./operation.ts";
import { PAGE_OPERATIONS } from "./page-operations.ts";
import { HANDSHAKE_PARAMETERS, socketOperations } from "./socket-operations.ts";

const DESCRIPTION = `The HTTP routes of a server that streams audio to models. The messages of its WebSockets are in its AsyncAPI
document, \`/api/v1/asyncapi.json\`.

\`HEAD\` and \`OPTIONS\` work on every route that has \`GET\`; another method gets 405 with \`Allow\`, another path 404, both with a
text. A body above 1 MiB gets 413 at once where no file is taken, a header of more than 16 KiB 431. Slashes at the end of a path
make no difference.

A server without tokens lets everybody use every route. Once it has tokens, all but the routes of \`auth.public_routes\` need one;
by default these are the front page, \`/api/v1/health\`, \`/api/v1/ready\` and \`/api/v1/docs\`. Requests by a name that is not the server's, and uses by web pages of other
origins, are refused before that.`;

const TAGS = {
  Server: "About the server.",
  Files: "Files that are recognised with one request.",
  WebSockets: "Upgrades to WebSockets, and what refuses them.",
  Operators: "For operators, at `server.admin`.",
  Console: "The files of the console in the browser, if it is on (`server.console`).",
};

const SECURITY_SCHEMES: Json = {
  token: { type: "http", scheme: "bearer", description: "A token of the server." },
  ticket: {
    type: "apiKey",
    in: "query",
    name: "ticket",
    description: "A ticket for one connection, from `POST /api/v1/tickets`. Also as a subprotocol `ticket.VALUE`.",
  },
  tokenScheme: {
    type: "apiKey",
    in: "header",
    name: "Authorization",
    description: "`Token VALUE`: a token of the server, as clients of Deepgram send it.",
  },
  basic: { type: "http", scheme: "basic", description: "The password is a token of the server." },
};

/** Returns the OpenAPI 3.1 document of the HTTP routes. @param version of the server */
export function openapi(version: string): Json {
  return {
    openapi: "3.1.0",
    info: {
      title: "Streamer",
      version,
      description: DESCRIPTION.replaceAll(/(?<!\n)\n(?!\n)/g, " "),
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    servers: [
      {
        url: "{scheme}://{address}",
        variables: {
          scheme: { default: "http", enum: ["http", "https"], description: "`https` for a server with TLS." },
          address: { default: "localhost:8080", description: "Host and port of the server." },
        },
      },
    ],
    security: [{}, { token: [] }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths: paths(),
    components: {
      securitySchemes: SECURITY_SCHEMES,
      parameters: HANDSHAKE_PARAMETERS,
      responses: COMMON_RESPONSES,
      schemas: { ...FORM_SCHEMAS, ...bodySchemas() },
    },
  };
}

function paths(): Record<string, Json> {
  const all: Record<string, Json> = { ...socketOperations() };
  for (const { dialect, paths } of FILE_ROUTES) {
    const post = FILE_OPERATIONS[dialect];
    if (post === undefined) throw new Error(`the API description has nothing about files of the dialect ${dialect}`);
    for (const path of paths) all[path] = { ...all[path], post };
  }
  return { ...all, ...PAGE_OPERATIONS };
}
