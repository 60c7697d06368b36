import { dirname, join } from "node:path";

import { parseSync, Visitor } from "oxc-parser";
import type { ImportDeclarationSpecifier, ParamPattern, Program, TSType, TSTypeName } from "oxc-parser";

/** A class of a source file, and the number of values that its constructor takes. */
export interface ConstructorSize {
  /** `PATH: CLASS` */
  readonly name: string;
  readonly options: number;
}

type Read = (path: string) => Promise<string | undefined>;

/**
 * Counts the options of every constructor in the file at `path`. Parameters count one each; a constructor with a single
 * parameter counts the members of its type, when that is an object type or an interface of this file or of one that it
 * imports from.
 */
export async function constructorSizes(path: string, read: Read): Promise<ConstructorSize[]> {
  const module = await Module.open(path, read);
  if (module === undefined) throw new Error(`no file ${path}`);
  return await Promise.all(
    module.constructors().map(async ({ className, types }) => {
      const [only, ...others] = types;
      const members = only === undefined || others.length > 0 ? undefined : await module.members(only);
      return { name: `${path}: ${className}`, options: members ?? types.length };
    }),
  );
}

/** A parsed source file that resolves the types it names. */
class Module {
  readonly #path: string;
  readonly #program: Program;
  readonly #read: Read;

  static async open(path: string, read: Read): Promise<Module | undefined> {
    const source = await read(path);
    if (source === undefined) return undefined;
    const { program, errors } = parseSync(path, source);
    if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
    return new Module(path, program, read);
  }

  private constructor(path: string, program: Program, read: Read) {
    this.#path = path;
    this.#program = program;
    this.#read = read;
  }

  constructors(): { className: string; types: (TSType | undefined)[] }[] {
    const found: { className: string; types: (TSType | undefined)[] }[] = [];
    const names: string[] = [];
    const enter = (node: { id: { name: string } | null }): void => void names.push(node.id?.name ?? "class");
    const leave = (): void => void names.pop();
    new Visitor({
      ClassDeclaration: enter,
      "ClassDeclaration:exit": leave,
      ClassExpression: enter,
      "ClassExpression:exit": leave,
      MethodDefinition(node) {
        if (node.kind !== "constructor") return;
        found.push({ className: names.at(-1) ?? "class", types: node.value.params.map(typeOf) });
      },
    }).visit(this.#program);
    return found;
  }

  /** The number of members of an object type; undefined for any other type. */
  async members(type: TSType): Promise<number | undefined> {
    switch (type.type) {
      case "TSTypeLiteral":
        return type.members.length;
      case "TSParenthesizedType":
        return await this.members(type.typeAnnotation);
      case "TSIntersectionType": {
        const parts = await Promise.all(type.types.map((part) => this.members(part)));
        const known = parts.filter((part) => part !== undefined);
        return known.length === 0 ? undefined : known.reduce((sum, part) => sum + part, 0);
      }
      case "TSTypeReference":
        return await this.#reference(nameOf(type.typeName), type.typeArguments?.params ?? []);
      default:
        return undefined;
    }
  }

  async #reference(name: string, args: readonly TSType[]): Promise<number | undefined> {
    const [first, second] = args;
    if (first !== undefined && ["Readonly", "Partial", "Required"].includes(name)) return await this.members(first);
    if (first !== undefined && second !== undefined && (name === "Pick" || name === "Omit")) {
      const keys = second.type === "TSUnionType" ? second.types.length : 1;
      const all = await this.members(first);
      return name === "Pick" ? keys : all === undefined ? undefined : all - keys;
    }
    return await this.#named(name);
  }

  /** The members of a type that this module declares or imports. */
  async #named(name: string): Promise<number | undefined> {
    for (const statement of this.#program.body) {
      const node = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
      if (node?.type === "TSTypeAliasDeclaration" && node.id.name === name) {
        return await this.members(node.typeAnnotation);
      }
      if (node?.type === "TSInterfaceDeclaration" && node.id.name === name) {
        const parents = node.extends.map(({ expression, typeArguments }) =>
          expression.type === "Identifier"
            ? this.#reference(expression.name, typeArguments?.params ?? [])
            : Promise.resolve(undefined),
        );
        const inherited = await Promise.all(parents);
        return inherited.reduce<number>((sum, part) => sum + (part ?? 0), node.body.body.length);
      }
      if (statement.type === "ImportDeclaration") {
        const specifier = statement.specifiers.find((each) => each.local.name === name);
        if (specifier === undefined || !statement.source.value.startsWith(".")) continue;
        const target = join(dirname(this.#path), statement.source.value);
        const module = await Module.open(target, this.#read);
        return module === undefined ? undefined : await module.#named(importedName(specifier));
      }
    }
    return undefined;
  }
}

/** The declared type of a parameter, also behind a default value or an accessibility modifier. */
function typeOf(parameter: ParamPattern): TSType | undefined {
  const inner = parameter.type === "TSParameterProperty" ? parameter.parameter : parameter;
  const pattern = inner.type === "AssignmentPattern" ? inner.left : inner;
  return pattern.typeAnnotation?.typeAnnotation;
}

function nameOf(name: TSTypeName): string {
  return name.type === "Identifier" ? name.name : "";
}

function importedName(specifier: ImportDeclarationSpecifier): string {
  return specifier.type === "ImportSpecifier" && specifier.imported.type === "Identifier"
    ? specifier.imported.name
    : specifier.local.name;
}
