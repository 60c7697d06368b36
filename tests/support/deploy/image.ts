import { chmod, cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

import { assignments, ignoredBy, type Instruction, type Stage } from "./dockerfile.ts";

export interface BuildOptions {
  /** Folder of the build context. */
  readonly context: string;
  /** Files of base images, by image name without its version: path in the image -> path on this machine. */
  readonly images: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Environment for RUN, for instance the address of the package registry. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly arch: string;
}

/** File system and run configuration of a stage. */
export interface ImageConfig {
  readonly root: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
  ports: number[];
  volumes: string[];
  stopSignal: string;
  labels: Record<string, string>;
}

/**
 * Builds a Dockerfile without a container runtime: each stage is a folder that stands for its file system. Commands run
 * on this machine, except `apt-get install`, which is only recorded.
 */
export class ScratchBuild implements AsyncDisposable {
  readonly folder: string;
  /** Packages that `apt-get install` would have installed. */
  readonly packages: string[] = [];
  readonly #options: BuildOptions;
  readonly #stages = new Map<string, ImageConfig>();

  static async create(options: BuildOptions): Promise<ScratchBuild> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-image-"));
    await chmod(folder, 0o755);
    return new ScratchBuild(folder, options);
  }

  private constructor(folder: string, options: BuildOptions) {
    this.folder = folder;
    this.#options = options;
  }

  /** Builds all stages and returns the last. */
  async run(stages: readonly Stage[]): Promise<ImageConfig> {
    let last: ImageConfig | undefined;
    for (const stage of stages) last = await this.#build(stage);
    if (last === undefined) throw new Error("the Dockerfile has no stages");
    return last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async #build({ name, base, instructions }: Stage): Promise<ImageConfig> {
    const image: ImageConfig = {
      workdir: "/",
      user: "root",
      env: {},
      entrypoint: [],
      command: [],
      healthcheck: [],
      ports: [],
      volumes: [],
      stopSignal: "",
      labels: {},
      ...structuredClone(this.#stages.get(base)),
      root: join(this.folder, name),
    };
    await mkdir(image.root, { recursive: true });
    const parent = this.#stages.get(base);
    if (parent !== undefined) await cp(parent.root, image.root, { recursive: true, preserveTimestamps: true });
    else await this.#addBaseFiles(image.root, base);
    const args: Record<string, string> = { TARGETARCH: this.#options.arch };
    for (const instruction of instructions) await this.#apply(instruction, image, args);
    this.#stages.set(name, image);
    return image;
  }

  async #addBaseFiles(root: string, base: string): Promise<void> {
    for (const [place, file] of Object.entries(this.#options.images[base.split(":")[0] ?? ""] ?? {})) {
      await mkdir(dirname(join(root, place)), { recursive: true });
      await cp(file, join(root, place), { dereference: true });
    }
  }

  async #apply({ name, text }: Instruction, image: ImageConfig, args: Record<string, string>): Promise<void> {
    switch (name) {
      case "ARG":
        Object.assign(args, assignments(text, args));
        break;
      case "ENV":
        Object.assign(image.env, assignments(text, args));
        break;
      case "LABEL":
        Object.assign(image.labels, assignments(text, args));
        break;
      case "WORKDIR":
        image.workdir = join(image.workdir, text);
        await mkdir(join(image.root, image.workdir), { recursive: true });
        break;
      case "COPY":
        await this.#copy(text.split(" "), image);
        break;
      case "RUN":
        await this.#execute(text, image, args);
        break;
      case "USER":
        image.user = text;
        break;
      case "EXPOSE":
        image.ports.push(...text.split(" ").map(Number));
        break;
      case "VOLUME":
        image.volumes.push(...execForm(text));
        break;
      case "STOPSIGNAL":
        image.stopSignal = text;
        break;
      case "HEALTHCHECK":
        image.healthcheck = execForm(text.replace(/^.*?CMD /, ""));
        break;
      case "ENTRYPOINT":
        image.entrypoint = execForm(text);
        break;
      case "CMD":
        image.command = execForm(text);
        break;
      default:
        throw new Error(`${name}: not supported`);
    }
  }

  async #copy(words: string[], image: ImageConfig): Promise<void> {
    const from = words[0]?.startsWith("--from=") ? words.shift()?.slice("--from=".length) : undefined;
    const target = words.pop() ?? "";
    const place = join(image.root, target.startsWith("/") ? "/" : image.workdir, target);
    const source = from === undefined ? this.#options.context : this.#rootOf(from);
    const isIgnored =
      from === undefined ? ignoredBy(await Bun.file(join(source, ".dockerignore")).text()) : () => false;
    for (const word of words) {
      const into = words.length > 1 || target.endsWith("/") ? join(place, word) : place;
      await cp(join(source, word), into, {
        recursive: true,
        preserveTimestamps: true,
        filter: (path) => !isIgnored(relative(source, path)),
      });
    }
  }

  #rootOf(stage: string): string {
    const image = this.#stages.get(stage);
    if (image === undefined) throw new Error(`COPY --from=${stage}: no such stage`);
    return image.root;
  }

  async #execute(text: string, image: ImageConfig, args: Record<string, string>): Promise<void> {
    const install = /^apt-get update && apt-get install -y --no-install-recommends ([a-z0-9 .+-]+) && rm -rf \S+$/.exec(
      text,
    );
    if (install !== null) {
      this.packages.push(...(install[1] ?? "").split(" "));
      return;
    }
    const bin = join(image.root, "usr", "local", "bin");
    const child = Bun.spawn(["sh", "-c", text], {
      cwd: join(image.root, image.workdir),
      env: { ...this.#options.env, ...args, ...image.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [code, ...output] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if (code !== 0) throw new Error(`RUN ${text}: exited with ${code}\n${output.join("")}`);
  }
}

/** Returns all files below a folder, relative to it, sorted by name. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** Parses the JSON form of a command. The shell form is refused: its shell would not pass signals to the program. */
function execForm(text: string): string[] {
  const parsed: unknown = JSON.parse(text);
  if (!Array.isArray(parsed) || parsed.some((word) => typeof word !== "string"))
    throw new Error(`${text}: not a JSON list of strings`);
  return parsed as string[];
}
