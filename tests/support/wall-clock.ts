import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The clock on the wall of programs that are started with its environment. It can be set while they run. */
export class WallClock implements AsyncDisposable {
  readonly #folder: string;
  readonly #offset: BigInt64Array;

  static async create(): Promise<WallClock> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-clock-"));
    const source = join(import.meta.dir, "wall-clock.c");
    const compiled = Bun.spawnSync(["cc", "-O1", "-shared", "-fPIC", "-o", join(folder, "clock.so"), source]);
    if (!compiled.success) throw new Error(`cc: ${compiled.stderr.toString()}`);
    await Bun.write(join(folder, "offset"), new Uint8Array(8));
    return new WallClock(folder);
  }

  private constructor(folder: string) {
    this.#folder = folder;
    this.#offset = new BigInt64Array(Bun.mmap(join(folder, "offset"), { shared: true }).buffer, 0, 1);
  }

  get env(): Record<string, string> {
    return { LD_PRELOAD: join(this.#folder, "clock.so"), WALL_CLOCK_FILE: join(this.#folder, "offset") };
  }

  /** Sets the clock to so many seconds after the true time. */
  set(seconds: number): void {
    this.#offset[0] = BigInt(Math.round(seconds));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true });
  }
}
