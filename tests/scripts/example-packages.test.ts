import { afterAll, beforeEach, expect, test } from "bun:test";
import { copyFile, mkdir, mkdtempDisposable, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { ExamplePackages, type PACKAGE_SOURCES } from "../../scripts/example-packages.ts";
import { waitUntil } from "../support/wait.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
const PATIENCE_MS = 120_000;

const scratch = await mkdtempDisposable(join(tmpdir(), "streamer-packages-"));

afterAll(async () => {
  await scratch[Symbol.asyncDispose]();
});

/** Returns a package of the registry, as a compressed archive. */
async function archive(network: string): Promise<Uint8Array<ArrayBuffer>> {
  const files = { "package/package.json": `{"name":"network","version":"1.0.0"}`, "package/network.onnx": network };
  return await new Bun.Archive(files, { compress: "gzip" }).bytes();
}

const good = await archive("weights");

/** A registry that has one package. */
class Registry implements AsyncDisposable {
  requests = 0;
  /** The package that is sent; undefined: none, and the request stays open. */
  package: Uint8Array<ArrayBuffer> | undefined = good;
  readonly #server: Bun.Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => this.#answer(new URL(request.url)),
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer({ pathname }: URL): Promise<Response> {
    this.requests += 1;
    if (pathname.endsWith(".tgz")) {
      return this.package === undefined ? await new Promise(() => undefined) : new Response(this.package);
    }
    const integrity = `sha512-${new Bun.CryptoHasher("sha512").update(good).digest("base64")}`;
    const dist = { tarball: `${this.url}/network-1.0.0.tgz`, integrity };
    const versions = { "1.0.0": { name: "network", version: "1.0.0", dist } };
    return Response.json({ name: "network", "dist-tags": { latest: "1.0.0" }, versions });
  }
}

let count = 0;

/** An example in a new folder, which needs the package of a registry, and a new cache. */
class Example {
  readonly folder: string;
  readonly cache: string;
  readonly packages: ExamplePackages;
  announced = 0;
  readonly #registry: Registry;
  readonly #interrupt = new AbortController();

  static async create(registry: Registry): Promise<Example> {
    const example = new Example(registry);
    await mkdir(example.folder);
    await Bun.write(join(example.folder, "package.json"), `{"dependencies":{"network":"1.0.0"}}`);
    // A lock file is written by an installation in another folder.
    const other = join(scratch.path, `lock ${count}`);
    await mkdir(other);
    await copyFile(join(example.folder, "package.json"), join(other, "package.json"));
    const lock = Bun.spawn([process.execPath, "install", "--lockfile-only"], {
      cwd: other,
      env: { ...example.environment(), BUN_INSTALL_CACHE_DIR: join(other, "cache") },
      stdout: "ignore",
      stderr: "pipe",
    });
    expect([await lock.exited, await lock.stderr.text()]).toEqual([0, expect.anything()]);
    await copyFile(join(other, "bun.lock"), join(example.folder, "bun.lock"));
    registry.requests = 0;
    return example;
  }

  private constructor(registry: Registry) {
    this.#registry = registry;
    count += 1;
    this.folder = join(scratch.path, `example ${count}`);
    this.cache = join(scratch.path, `cache ${count}`);
    this.packages = new ExamplePackages(this.folder, () => this.environment());
  }

  environment(): Record<string, string | undefined> {
    return { ...process.env, BUN_INSTALL_CACHE_DIR: this.cache, BUN_CONFIG_REGISTRY: this.#registry.url };
  }

  async install(source: (typeof PACKAGE_SOURCES)[number] = "kept"): Promise<string | undefined> {
    return await this.packages.install(source, this.#interrupt.signal, () => (this.announced += 1));
  }

  interrupt(): void {
    this.#interrupt.abort(new Error("interrupted"));
  }

  get network(): Promise<string> {
    return Bun.file(this.file).text();
  }

  get file(): string {
    return join(this.folder, "node_modules", "network", "network.onnx");
  }
}

let registry: Registry;
let example: Example;

beforeEach(async () => {
  registry = new Registry();
  example = await Example.create(registry);
});

test(
  "the packages of the lock file are installed once; the second time needs no registry",
  async () => {
    expect(await example.install()).toBeUndefined();
    expect([await example.network, example.announced]).toEqual(["weights", 1]);
    await registry[Symbol.asyncDispose]();
    expect(await example.install()).toBeUndefined();
    expect([await example.network, example.announced]).toEqual(["weights", 1]);
  },
  PATIENCE_MS,
);

test(
  "an installation that was interrupted is completed",
  async () => {
    await using _ = registry;
    await example.install();
    for (const path of [".installed", "network"]) {
      await rm(join(example.folder, "node_modules", path), { recursive: true });
    }
    expect(await example.install()).toBeUndefined();
    expect([await example.network, example.announced]).toEqual(["weights", 2]);
  },
  PATIENCE_MS,
);

test(
  "a lock file that has changed is installed",
  async () => {
    await using _ = registry;
    await example.install();
    const lock = join(example.folder, "bun.lock");
    await Bun.write(lock, `${await Bun.file(lock).text()}\n`);
    expect(await example.install()).toBeUndefined();
    expect(example.announced).toBe(2);
  },
  PATIENCE_MS,
);

test(
  "packages that are damaged come anew from the cache, and from the registry when the cache is damaged, too",
  async () => {
    await using _ = registry;
    await example.install();
    await rm(example.file);
    expect(await example.install("cache")).toBeUndefined();
    expect(await example.network).toBe("weights");
    // Files of packages may be links to those of the cache: both are damaged.
    await Bun.write(example.file, "damaged");
    const [cached] = await Array.fromAsync(new Bun.Glob("**/network.onnx").scan({ cwd: example.cache }));
    await Bun.write(join(example.cache, cached ?? ""), "damaged");
    expect(await example.install("cache")).toBeUndefined();
    expect(await example.network).toBe("damaged");
    expect(await example.install("registry")).toBeUndefined();
    expect(await example.network).toBe("weights");
  },
  PATIENCE_MS,
);

test(
  "packages with another hash than that of the lock file are not installed",
  async () => {
    await using _ = registry;
    registry.package = await archive("others");
    expect(await example.install()).toMatch(/^[^\n]*integrity[^\n]*$/i);
    expect(await Bun.file(example.file).exists()).toBe(false);
    registry.package = good;
    expect(await example.install("registry")).toBeUndefined();
  },
  PATIENCE_MS,
);

test(
  "a registry that cannot be reached, and a folder that cannot be written, are reported in one line",
  async () => {
    await registry[Symbol.asyncDispose]();
    expect(await example.install()).toMatch(/^ConnectionRefused [^\n]*network[^\n]*$/);
    await rm(join(example.folder, "node_modules"), { recursive: true, force: true });
    await Bun.write(join(example.folder, "node_modules"), "a file");
    expect(await example.install()).toMatch(/^ENOTDIR[^\n]*node_modules[^\n]*$/);
  },
  PATIENCE_MS,
);

test(
  "an interrupt ends an installation that waits for the registry",
  async () => {
    await using _ = registry;
    registry.package = undefined;
    const installation = example.install();
    await waitUntil("a request for the package", () => registry.requests > 0);
    example.interrupt();
    await expect(installation).rejects.toThrow("interrupted");
    registry.package = good;
    await expect(example.install(), "no other one is started").rejects.toThrow("interrupted");
  },
  PATIENCE_MS,
);
