import { join } from "node:path";

import {
  type Metadata,
  type MethodDefinition,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type StatusObject,
} from "@grpc/grpc-js";
import protobuf from "protobufjs";

// The messages as the protocol has them, read by another library from another source than those of the program.
const root = new protobuf.Root().loadSync(join(import.meta.dir, "grpc_predict_v2.proto"), { keepCase: true });

type Message = Record<string, unknown>;

/** What an engine does with a request: returns the fields of an answer, or throws StatusError. */
export type Handler = (request: Message, metadata: Metadata, call: ServerUnaryCall<Message, Message>) => unknown;

/** A status that an engine answers with. */
export class StatusError extends Error {
  readonly code: number;
  readonly details: string;

  constructor(code: number, details: string) {
    super(details);
    this.code = code;
    this.details = details;
  }
}

export interface GrpcEngineOptions {
  /** Default: a free one. */
  readonly port?: number;
  readonly ModelInfer?: Handler;
  readonly ModelReady?: Handler;
  readonly ModelMetadata?: Handler;
  readonly credentials?: ServerCredentials;
}

/** An engine that speaks gRPC, in this process. */
export class GrpcEngine implements Disposable {
  readonly port: number;
  readonly #server: Server;

  static async start(options: GrpcEngineOptions): Promise<GrpcEngine> {
    const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
    const methods = (["ModelInfer", "ModelReady", "ModelMetadata"] as const).filter((name) => options[name]);
    server.addService(
      Object.fromEntries(methods.map((name) => [name, definition(name)])),
      Object.fromEntries(methods.map((name) => [name, implementation(options[name]!)])),
    );
    const port = await new Promise<number>((resolve, reject) => {
      const credentials = options.credentials ?? ServerCredentials.createInsecure();
      server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    return new GrpcEngine(server, port);
  }

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Ends all connections at once. */
  [Symbol.dispose](): void {
    this.#server.forceShutdown();
  }
}

function definition(name: string): MethodDefinition<Message, Message> {
  const request = root.lookupType(`inference.${name}Request`);
  const response = root.lookupType(`inference.${name}Response`);
  return {
    path: `/inference.GRPCInferenceService/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (fields) => Buffer.from(request.encode(request.fromObject(fields)).finish()),
    responseDeserialize: (bytes) => response.toObject(response.decode(bytes)),
    requestDeserialize: (bytes: Buffer) => request.toObject(request.decode(bytes), { longs: Number }),
    responseSerialize: (fields: Message) => Buffer.from(response.encode(response.fromObject(fields)).finish()),
  };
}

function implementation(handler: Handler) {
  return async (call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>): Promise<void> => {
    try {
      answer(null, (await handler(call.request, call.metadata, call)) as Message);
    } catch (error) {
      answer(error as Partial<StatusObject>);
    }
  };
}
