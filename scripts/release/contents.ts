// What archives and npm packages contain.

import { chmod, copyFile, cp, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import manifest from "../../package.json" with { type: "json" };
import { root, run } from "./command.ts";
import type { Built, Target } from "./targets.ts";

const texts = join(root, "deploy", "release");

/** The command in its npm package. Yarn 4 runs files with another ending by Node.js, unless they are machine code. */
const COMMAND = "bin/streamer.bin";

/** Texts that are the same for all machines. */
export interface SharedTexts {
  readonly notices: string;
  /** Paths in an archive, and texts that the executable prints. */
  readonly printed: Readonly<Record<string, string | Uint8Array>>;
  readonly manual: string;
}

/** Asks the executable for this machine for the manual page, the completion scripts and the schema. */
export async function sharedTexts(executable: string, notices: string): Promise<SharedTexts> {
  const ask = async (...args: string[]): Promise<string> => await run([executable, ...args], { env: {} });
  const manual = await ask("man");
  return {
    notices,
    manual,
    printed: {
      "share/man/man1/streamer.1.gz": Bun.gzipSync(new TextEncoder().encode(manual), { level: 9 }),
      "share/bash-completion/completions/streamer": await ask("completion", "bash"),
      "share/zsh/site-functions/_streamer": await ask("completion", "zsh"),
      "share/fish/vendor_completions.d/streamer.fish": await ask("completion", "fish"),
      "share/doc/streamer/streamer.schema.json": await ask("config", "schema"),
    },
  };
}

/** Fills a new folder with what an archive contains: below it are the folders of a prefix such as /usr/local. */
export async function fillArchive(folder: string, built: Built, shared: SharedTexts, bill: string): Promise<void> {
  const put = async (path: string, content: string | Uint8Array): Promise<void> => {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  };
  await copyExecutable(built, folder);
  for (const [path, content] of Object.entries(shared.printed)) await put(path, content);
  const doc = join(folder, "share", "doc", "streamer");
  await copyFile(join(root, "LICENSE"), join(doc, "LICENSE"));
  await copyFile(join(root, "CHANGELOG.md"), join(doc, "CHANGELOG.md"));
  await copyFile(join(texts, "archive.md"), join(doc, "README.md"));
  await copyFile(join(texts, "streamer.yaml"), join(doc, "streamer.yaml"));
  await cp(join(root, "deploy", "systemd"), join(doc, "systemd"), { recursive: true });
  await put("share/doc/streamer/THIRD-PARTY-NOTICES", shared.notices);
  await put("share/doc/streamer/streamer.cdx.json", bill);
}

/** Fills a new folder with the npm package of the executable for one machine, `streamer-OS-PROCESSOR`. */
export async function fillPlatformPackage(folder: string, built: Built, { notices }: SharedTexts): Promise<void> {
  const { name, cpu } = built.target;
  await copyExecutable(built, folder);
  await writeManifest(folder, {
    name: platformPackage(built.target),
    version: manifest.version,
    description: `The executable of streamer for ${name}`,
    license: manifest.license,
    // npm installs the package on such machines only.
    os: ["linux"],
    cpu: [cpu],
    libc: ["glibc"],
    // Yarn keeps packages in archives, from which no program can run.
    preferUnplugged: true,
    files: ["bin", "THIRD-PARTY-NOTICES"],
  });
  await copyFile(join(root, "LICENSE"), join(folder, "LICENSE"));
  await writeFile(join(folder, "THIRD-PARTY-NOTICES"), notices);
  await writeFile(
    join(folder, "README.md"),
    `# ${platformPackage(built.target)}\n\nThe executable of Streamer for ${name}. Install the package \`streamer\`, ` +
      "which needs this one.\n",
  );
}

/** Fills a new folder with the npm package `streamer`, which has the command and needs the packages of all targets. */
export async function fillWrapperPackage(
  folder: string,
  targets: readonly Target[],
  { manual }: Pick<SharedTexts, "manual">,
): Promise<void> {
  await mkdir(join(folder, "bin"), { recursive: true });
  await mkdir(join(folder, "man"), { recursive: true });
  const command = join(folder, COMMAND);
  await copyFile(join(texts, "streamer.sh"), command);
  await chmod(command, 0o755);
  await writeFile(join(folder, "man", "streamer.1"), manual);
  await copyFile(join(root, "LICENSE"), join(folder, "LICENSE"));
  await copyFile(join(texts, "npm.md"), join(folder, "README.md"));
  await writeManifest(folder, {
    name: manifest.name,
    version: manifest.version,
    description: manifest.description,
    keywords: ["audio", "speech-to-text", "streaming", "websocket", "server"],
    license: manifest.license,
    bin: { streamer: COMMAND },
    man: ["man/streamer.1"],
    files: ["bin", "man"],
    // Not `os` and `cpu`, so that a project with this package can be installed anywhere: the command says what is wrong.
    optionalDependencies: Object.fromEntries(targets.map((target) => [platformPackage(target), manifest.version])),
  });
}

/** Packs a folder. Returns the name of the archive in `output`. */
export async function packNpm(folder: string, output: string): Promise<string> {
  const packed = await run(["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", output], {
    cwd: folder,
  });
  return packed.trim();
}

function platformPackage({ name }: Target): string {
  return `${manifest.name}-${name}`;
}

async function copyExecutable({ executable }: Built, folder: string): Promise<void> {
  await mkdir(join(folder, "bin"), { recursive: true });
  await cp(executable, join(folder, "bin", "streamer"));
  await chmod(join(folder, "bin", "streamer"), 0o755);
}

async function writeManifest(folder: string, content: object): Promise<void> {
  await writeFile(join(folder, "package.json"), `${JSON.stringify(content, null, 2)}\n`);
}
