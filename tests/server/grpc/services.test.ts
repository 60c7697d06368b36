import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";

import { Client, type ClientDuplexStream, credentials, type ServiceError } from "@grpc/grpc-js";
import protobuf from "protobufjs";

import "protobufjs/ext/descriptor.js";

import { contractOfGrpc } from "../../../src/dialects/grpc/contract.ts";
import health from "../../../src/protocol/proto/grpc/health/v1/health.proto" with { type: "text" };
import reflection from "../../../src/protocol/proto/grpc/reflection/v1/reflection.proto" with { type: "text" };
import { methodTypes, parseService } from "../../../src/server/grpc/service-types.ts";
import { InProcessServer } from "../../support/in-process-server.ts";
import { freePort } from "../../support/proxies.ts";
import { waitUntil } from "../../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

type Fields = Record<string, unknown>;

const port = await freePort();
const healthService = parseService(health, "grpc.health.v1.Health");
const reflectionService = parseService(reflection, "grpc.reflection.v1.ServerReflection");
let server: InProcessServer;
let client: Client;

beforeAll(async () => {
  server = await InProcessServer.start({ "grpc.port": port }, { load: false });
  client = new Client(`localhost:${port}`, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
});

/** Returns the status of a service, or the code of the failure. */
function check(service: string): Promise<unknown> {
  const { path, requestSerialize, responseDeserialize } = methodTypes<Fields, Fields>(healthService, "Check");
  return new Promise((resolve) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, answer) =>
      resolve(error?.code ?? answer?.["status"]),
    );
  });
}

/** Asks one question of reflection. */
function reflect(question: Fields, path?: string): Promise<Fields> {
  const types = methodTypes<Fields, Fields>(reflectionService, "ServerReflectionInfo", path);
  const call: ClientDuplexStream<Fields, Fields> = client.makeBidiStreamRequest(
    types.path,
    types.requestSerialize,
    types.responseDeserialize,
  );
  return new Promise((resolve, reject) => {
    call.on("data", (answer: Fields) => {
      resolve(answer);
      call.end();
    });
    call.on("error", (error: ServiceError) => reject(error));
    call.write(question);
  });
}

test("health tells whether a stream could begin, to those who ask and to those who watch", async () => {
  const { path, requestSerialize, responseDeserialize } = methodTypes<Fields, Fields>(healthService, "Watch");
  const told: unknown[] = [];
  const watch = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, { service: "" });
  watch.on("data", (answer: Fields) => told.push(answer["status"]));
  watch.on("error", () => {});
  const [SERVING, NOT_SERVING, NOT_FOUND] = [1, 2, 5];
  await waitUntil("the first status", () => told.length === 1);
  expect([await check(""), await check("streamer.v1.Streamer"), await check("x")]).toEqual([
    NOT_SERVING,
    NOT_SERVING,
    NOT_FOUND,
  ]);
  await server.load();
  await waitUntil("the second status", () => told.length === 2);
  expect(told).toEqual([NOT_SERVING, SERVING]);
  expect([await check(""), await check("streamer.v1.Streamer")]).toEqual([SERVING, SERVING]);
  watch.cancel();
});

test("reflection lists the services, and describes the messages as the contract has them", async () => {
  const listed = await reflect({ list_services: "" });
  const names = ["streamer.v1.Streamer", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"];
  expect(listed["list_services_response"]).toEqual({ service: names.map((name) => ({ name })) });
  for (const question of [
    { file_containing_symbol: "streamer.v1.Streamer" },
    { file_containing_symbol: "streamer.v1.Streamer.Stream" },
    { file_by_filename: "streamer/v1/streamer.proto" },
  ]) {
    const answer = await reflect(question, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    expect(answer["original_request"]).toEqual(question);
    const { file_descriptor_proto: file } = answer["file_descriptor_response"] as {
      file_descriptor_proto: Uint8Array[];
    };
    const root = protobuf.Root.fromDescriptor(descriptorSet(file), { keepCase: true });
    for (const name of ["StreamRequest", "Start", "StreamResponse", "Segment", "Stopped", "Ledger"]) {
      const described = root
        .lookupType(`streamer.v1.${name}`)
        .fieldsArray.map(({ name, id, type }) => [name, id, whole(type)]);
      const { root: contract } = contractOfGrpc();
      const expected = contract.lookupType(`streamer.v1.${name}`).fieldsArray;
      expect(described as unknown).toEqual(
        expected.map(({ name, id, type, resolvedType }) => [name, id, resolvedType?.fullName.slice(1) ?? type]),
      );
    }
  }
  for (const question of [
    { file_containing_symbol: "streamer.v2.X" },
    { file_by_filename: "x" },
    { all_extension_numbers_of_type: "x" },
  ]) {
    expect((await reflect(question))["error_response"]).toEqual({ error_code: 5, error_message: "not found" });
  }
});

const whole = (type: string): string => type.replace(/^\./, "");

/** A FileDescriptorSet of encoded files: field 1 for each. */
function descriptorSet(files: readonly Uint8Array[]): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const file of files) writer.uint32((1 << 3) | 2).bytes(file);
  return writer.finish();
}
