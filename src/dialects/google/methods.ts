import { bearerToken, type Credentials } from "../../protocol/credentials.ts";
import type { GrpcMethod } from "../grpc-method.ts";
import { speechMethods } from "../speech/methods.ts";
import { googleV1 } from "./v1.ts";
import { googleV2 } from "./v2.ts";

/** Where clients with an API key have it. */
const KEY_HEADER = "x-goog-api-key";

function credentials(metadata: Headers): Credentials {
  return { token: bearerToken(metadata) ?? metadata.get(KEY_HEADER) ?? undefined };
}

/** The methods of Google's service, in both versions. */
export const GOOGLE_METHODS: readonly GrpcMethod[] = [googleV1, googleV2].flatMap((api) =>
  speechMethods(api, credentials),
);
