import { GOOGLE_METHODS } from "./google/methods.ts";
import type { GrpcMethod } from "./grpc-method.ts";
import { GRPC, nativeStream } from "./grpc/open.ts";
import { RIVA_METHODS } from "./riva/methods.ts";

/** The methods of every dialect that is spoken over gRPC. */
export const GRPC_METHODS: readonly GrpcMethod[] = [nativeStream, ...RIVA_METHODS, ...GOOGLE_METHODS];

/** Returns the native method, and those of the dialects with these names. */
export function grpcMethodsOf(names: readonly string[]): GrpcMethod[] {
  return GRPC_METHODS.filter(({ dialect }) => dialect === GRPC || names.includes(dialect));
}

/** Returns the service of a method, such as `streamer.v1.Streamer`. */
export function serviceOf({ path }: Pick<GrpcMethod, "path">): string {
  return path.slice(1, path.lastIndexOf("/"));
}
