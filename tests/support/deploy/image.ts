import { chmod, cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

import { assignments, ignored, type Instruction, type Stage } from "./dockerfile.ts";

export interface BuildOptions {
  /** The builder's context. */
  readonly context: string;
  /** Files that base images have, by image name without its version: place in the image -> file of this machine. */
  readonly images: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Environment of this machine that RUN needs, such as where packages come from. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly arch: string;
}

/** What the last stage says about running the image. */
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
 * Carries out the steps of a Dockerfile in their order, each stage in a folder that stands for its file system. What a
 * machine's packages bring (`RUN apt-get`) is this machine's: it is noted, not run.
 */
export class ScratchBuild implements AsyncDisposable {
  readonly folder: string;
  /** Packages of `apt-get install`. */
  readonly packages: string[] = [];
  readonly #options: BuildOptions;
  readonly #roots = new Map<string, ImageConfig>();

  static async create(options: BuildOptions): Promise<ScratchBuild> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-image-"));
    await chmod(folder, 0o755);
    return new ScratchBuild(folder, options);
  }

  private constructor(folder: string, options: BuildOptions) {
    this.folder = folder;
    this.#options = options;
  }

  /** The image of the last stage. */
  async run(stages: readonly Stage[]): Promise<ImageConfig> {
    let last: ImageConfig | undefined;
    for (const stage of stages) last = await this.#stage(stage);
    if (last === undefined) throw new Error("a Dockerfile without stages");
    return last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async #stage({ name, base, instructions }: Stage): Promise<ImageConfig> {
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
      ...structuredClone(this.#roots.get(base)),
      root: join(this.folder, name),
    };
    await mkdir(image.root, { recursive: true });
    const before = this.#roots.get(base);
    if (before !== undefined) await cp(before.root, image.root, { recursive: true, preserveTimestamps: true });
    else await this.#fill(image.root, base);
    const args: Record<string, string> = { TARGETARCH: this.#options.arch };
    for (const instruction of instructions) await this.#do(instruction, image, args);
    this.#roots.set(name, image);
    return image;
  }

  async #fill(root: string, base: string): Promise<void> {
    for (const [place, file] of Object.entries(this.#options.images[base.split(":")[0] ?? ""] ?? {})) {
      await mkdir(dirname(join(root, place)), { recursive: true });
      await cp(file, join(root, place), { dereference: true });
    }
  }

  async #do({ name, text }: Instruction, image: ImageConfig, args: Record<string, string>): Promise<void> {
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
        image.volumes.push(...words(text));
        break;
      case "STOPSIGNAL":
        image.stopSignal = text;
        break;
      case "HEALTHCHECK":
        image.healthcheck = words(text.replace(/^.*?CMD /, ""));
        break;
      case "ENTRYPOINT":
        image.entrypoint = words(text);
        break;
      case "CMD":
        image.command = words(text);
        break;
      default:
        throw new Error(`${name}: what this does is not known here`);
    }
  }

  async #copy(words: string[], image: ImageConfig): Promise<void> {
    const from = words[0]?.startsWith("--from=") ? words.shift()?.slice("--from=".length) : undefined;
    const target = words.pop() ?? "";
    const place = join(image.root, target.startsWith("/") ? "/" : image.workdir, target);
    const source = from === undefined ? this.#options.context : (this.#roots.get(from)?.root ?? "no such stage");
    const leftOut = from === undefined ? ignored(await Bun.file(join(source, ".dockerignore")).text()) : () => false;
    for (const word of words) {
      const into = words.length > 1 || target.endsWith("/") ? join(place, word) : place;
      await cp(join(source, word), into, {
        recursive: true,
        preserveTimestamps: true,
        filter: (path) => !leftOut(relative(source, path)),
      });
    }
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
    const [code, ...said] = await Promise.all([
      child.exited,
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    if (code !== 0) throw new Error(`RUN ${text}: ended with ${code}\n${said.join("")}`);
  }
}

/** All files below a folder, relative to it, in the order of their names. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** The JSON form of a command; the shell form would put a shell between the signals and the program. */
function words(text: string): string[] {
  const parsed: unknown = JSON.parse(text);
  if (!Array.isArray(parsed) || parsed.some((word) => typeof word !== "string")) throw new Error(`${text}: not a list`);
  return parsed as string[];
}
