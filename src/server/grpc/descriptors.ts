import protobuf from "protobufjs";
import { FileDescriptorProto, type IDescriptorProto, type IFileDescriptorProto } from "protobufjs/ext/descriptor.js";

import health from "../../protocol/proto/grpc/health/v1/health.proto" with { type: "text" };
import reflection from "../../protocol/proto/grpc/reflection/v1/reflection.proto" with { type: "text" };
import streamer from "../../protocol/proto/streamer/v1/streamer.proto" with { type: "text" };

const STRUCT = "google/protobuf/struct.proto";

/** A file of definitions as clients of reflection get it. */
export interface DescribedFile {
  /** Such as `streamer/v1/streamer.proto`. */
  readonly name: string;
  readonly package: string;
  /** A FileDescriptorProto. */
  readonly bytes: Uint8Array;
  /** Names of the files that it imports. */
  readonly imports: readonly string[];
}

const FILES: readonly Omit<DescribedFile, "bytes">[] = [
  { name: STRUCT, package: "google.protobuf", imports: [] },
  { name: "streamer/v1/streamer.proto", package: "streamer.v1", imports: [STRUCT] },
  { name: "grpc/health/v1/health.proto", package: "grpc.health.v1", imports: [] },
  { name: "grpc/reflection/v1/reflection.proto", package: "grpc.reflection.v1", imports: [] },
];

/** Returns the files of all services of the port, and those that they import. */
export function describeFiles(): DescribedFile[] {
  const root = new protobuf.Root();
  root.addJSON(protobuf.common.get(STRUCT)?.nested ?? {});
  for (const definitions of [streamer, health, reflection]) protobuf.parse(definitions, root, { keepCase: true });
  root.resolveAll();
  const { file: files } = root.toDescriptor("proto3");
  return FILES.map((place) => {
    const file = files?.find((each) => each.package === place.package);
    if (file === undefined) throw new Error(`${place.name} has no descriptor`);
    complete(file, root);
    Object.assign(file, { name: place.name, dependency: place.imports });
    return { ...place, bytes: FileDescriptorProto.encode(file).finish() };
  });
}

/** protobufjs 8.8.1 leaves names of types as they are in the definitions; readers of descriptors want them whole. */
function complete({ package: name = "", messageType, service }: IFileDescriptorProto, root: protobuf.Root): void {
  const scope = root.lookup(name);
  if (!(scope instanceof protobuf.Namespace)) throw new Error(`there is no package ${name}`);
  for (const message of messageType ?? []) completeMessage(message, scope);
  for (const { method } of service ?? []) {
    for (const each of method ?? []) {
      each.inputType = wholeName(each.inputType ?? "", scope);
      each.outputType = wholeName(each.outputType ?? "", scope);
    }
  }
}

function completeMessage({ name = "", field, nestedType }: IDescriptorProto, outer: protobuf.Namespace): void {
  const own = outer.lookup(name);
  const scope = own instanceof protobuf.Namespace ? own : outer;
  const entries = new Set<string>();
  for (const nested of nestedType ?? []) {
    if (nested.options?.mapEntry === true) {
      entries.add(nested.name ?? "");
      // protobufjs calls it as the field, with a capital: `Fields`.
      nested.name = `${nested.name}Entry`;
    }
    completeMessage(nested, scope);
  }
  for (const each of field ?? []) {
    if (!each.typeName) continue;
    const isMap = entries.has(each.typeName);
    each.typeName = isMap ? `${scope.fullName}.${each.typeName}Entry` : wholeName(each.typeName, scope);
  }
}

function wholeName(name: string, scope: protobuf.Namespace): string {
  if (name.startsWith(".")) return name;
  const found = scope.lookup(name);
  if (found === null) throw new Error(`there is no type ${name} in ${scope.fullName}`);
  return found.fullName;
}
