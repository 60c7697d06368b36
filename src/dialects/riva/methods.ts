import { messageOf } from "../../lib/thrown.ts";
import { bearerToken } from "../../protocol/credentials.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import type { OfferedModel } from "../dialect.ts";
import type { GrpcMethod, GrpcQuestion } from "../grpc-method.ts";
import { type Plain, rootOf } from "../speech/api.ts";
import { speechMethods } from "../speech/methods.ts";
import { riva } from "./api.ts";

/** By which clients find out which models there are. */
const models: GrpcQuestion = {
  dialect: riva.dialect,
  path: `/${riva.package}.${riva.service}/GetRivaSpeechRecognitionConfig`,
  credentials: (metadata) => ({ token: bearerToken(metadata) }),
  answer(bytes, offered) {
    const root = rootOf(riva.definitions);
    const request = root.lookupType(`${riva.package}.RivaSpeechRecognitionConfigRequest`);
    const response = root.lookupType(`${riva.package}.RivaSpeechRecognitionConfigResponse`);
    let asked: Plain;
    try {
      asked = request.toObject(request.decode(bytes));
    } catch (error) {
      const allowed = "a RivaSpeechRecognitionConfigRequest";
      throw new ProtocolError("invalid_request", `found no protobuf (${messageOf(error)}); allowed: ${allowed}`);
    }
    const { model_name: name = "" } = asked;
    const found = offered.filter((model) => name === "" || model.name === name || model.alias === name);
    return response.encode({ model_config: found.map(configOf) }).finish();
  },
};

function configOf({ name, options = [] }: OfferedModel): Plain {
  // Clients list only what is `online`.
  const language = options.includes("language") ? { language_code: "multi" } : {};
  return { model_name: name, parameters: { type: "online", streaming: "True", ...language } };
}

/** The methods of Riva's service. */
export const RIVA_METHODS: readonly GrpcMethod[] = [...speechMethods(riva), models];
