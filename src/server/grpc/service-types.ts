import protobuf from "protobufjs";

/** Encodes and decodes the messages of one method, as grpc-js wants it. */
export interface MethodTypes<Request, Response> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (value: Response) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** Returns the service of a definition in protobuf. */
export function parseService(definitions: string, name: string): protobuf.Service {
  return protobuf.parse(definitions, new protobuf.Root(), { keepCase: true }).root.lookupService(name);
}

/**
 * Returns what grpc-js wants to know about a method.
 * @param path default: that of the service itself
 */
export function methodTypes<Request extends object, Response extends object>(
  service: protobuf.Service,
  name: string,
  path = `/${service.fullName.slice(1)}/${name}`,
): MethodTypes<Request, Response> {
  const method = service.methods[name];
  if (method === undefined) throw new Error(`${service.fullName} has no method ${name}`);
  method.resolve();
  const { resolvedRequestType: request, resolvedResponseType: response } = method;
  if (request === null || response === null) throw new Error(`${name} has messages of unknown types`);
  return {
    path,
    requestStream: method.requestStream === true,
    responseStream: method.responseStream === true,
    requestSerialize: (value) => encode(request, value),
    requestDeserialize: (bytes) => decode(request, bytes) as Request,
    responseSerialize: (value) => encode(response, value),
    responseDeserialize: (bytes) => decode(response, bytes) as Response,
  };
}

function encode(type: protobuf.Type, value: object): Buffer {
  const bytes = type.encode(value).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function decode(type: protobuf.Type, bytes: Buffer): unknown {
  return type.toObject(type.decode(bytes), { longs: Number });
}
