import { type Server, type ServerDuplexStream, status } from "@grpc/grpc-js";

import { SERVICE } from "../../dialects/grpc/contract.ts";
import definitions from "../../protocol/proto/grpc/reflection/v1/reflection.proto" with { type: "text" };
import { type DescribedFile, describeFiles } from "./descriptors.ts";
import { methodTypes, parseService } from "./service-types.ts";

/** The package of earlier clients, whose messages are the same. */
const EARLIER = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
const METHOD = "ServerReflectionInfo";
const SERVICES = [SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"].map((name) => ({ name }));

interface ReflectionRequest {
  readonly host?: string;
  readonly file_by_filename?: string;
  readonly file_containing_symbol?: string;
  readonly file_containing_extension?: unknown;
  readonly all_extension_numbers_of_type?: string;
  readonly list_services?: string;
}
type ReflectionResponse = Readonly<Record<string, unknown>>;

/** Adds the gRPC Server Reflection Protocol, by which tools get the definitions of the service from the server. */
export function addReflection(server: Server): void {
  const service = parseService(definitions, "grpc.reflection.v1.ServerReflection");
  let files: DescribedFile[] | undefined;
  const reflect = (call: ServerDuplexStream<ReflectionRequest, ReflectionResponse>): void => {
    call.on("data", (request: ReflectionRequest) => {
      files ??= describeFiles();
      const answer = answerTo(request, files);
      // One question at a time: a client that asks without reading is not read.
      if (call.write({ valid_host: request.host ?? "", original_request: request, ...answer })) return;
      call.pause();
      call.once("drain", () => call.resume());
    });
    call.on("end", () => call.end());
  };
  for (const path of [undefined, EARLIER]) {
    server.addService({ [METHOD]: methodTypes(service, METHOD, path) }, { [METHOD]: reflect });
  }
}

function answerTo(request: ReflectionRequest, files: readonly DescribedFile[]): ReflectionResponse {
  if (request.list_services !== undefined) return { list_services_response: { service: SERVICES } };
  if (request.file_by_filename !== undefined) {
    return fileAnswer(
      files.find(({ name }) => name === request.file_by_filename),
      files,
    );
  }
  const symbol = request.file_containing_symbol;
  if (symbol !== undefined) {
    const contains = ({ package: scope }: DescribedFile): boolean => symbol === scope || symbol.startsWith(`${scope}.`);
    return fileAnswer(files.find(contains), files);
  }
  // The definitions have no extensions.
  return failure(status.NOT_FOUND, "not found");
}

function fileAnswer(file: DescribedFile | undefined, files: readonly DescribedFile[]): ReflectionResponse {
  if (file === undefined) return failure(status.NOT_FOUND, "not found");
  const imported = files.filter(({ name }) => file.imports.includes(name));
  return { file_descriptor_response: { file_descriptor_proto: [file, ...imported].map(({ bytes }) => bytes) } };
}

function failure(error_code: number, error_message: string): ReflectionResponse {
  return { error_response: { error_code, error_message } };
}
