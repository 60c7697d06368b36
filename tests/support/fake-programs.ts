import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Shell scripts in place of programs that record, in a folder of their own, which is removed when this is disposed. */
export class FakePrograms implements AsyncDisposable {
  readonly folder: string;

  /**
   * Writes a script for each program. Its commands find the arguments in the file `NAME.arguments`, and their process id
   * in `NAME.pid`; `$HERE` is the folder.
   */
  static async create(programs: Readonly<Record<string, string>>): Promise<FakePrograms> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-programs-"));
    for (const [name, commands] of Object.entries(programs)) {
      const lines = [
        "#!/bin/sh",
        "PATH=/usr/bin:/bin",
        `HERE='${folder}'`,
        `echo "$*" > "$HERE/${name}.arguments"`,
        `echo $$ > "$HERE/${name}.pid"`,
        commands,
      ];
      await Bun.write(join(folder, name), `${lines.join("\n")}\n`);
      await chmod(join(folder, name), 0o755);
    }
    return new FakePrograms(folder);
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** The environment of a process that finds these programs and no others. */
  get env(): { readonly PATH: string } {
    return { PATH: this.folder };
  }

  /** The arguments of the last call, separated by spaces. */
  async arguments(name: string): Promise<string> {
    return (await Bun.file(join(this.folder, `${name}.arguments`)).text()).trim();
  }

  /** The process of the last call still runs. */
  async isRunning(name: string): Promise<boolean> {
    try {
      process.kill(Number(await Bun.file(join(this.folder, `${name}.pid`)).text()), 0);
      return true;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
