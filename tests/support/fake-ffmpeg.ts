import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A shell script in place of ffmpeg, in a folder of its own, which is removed when this is disposed. */
export class FakeFfmpeg implements AsyncDisposable {
  readonly folder: string;

  /**
   * Writes the script. Its commands find the arguments in the file `arguments`, one per line, and the process id in
   * `pid`; `$HERE` is the folder.
   */
  static async create(commands: string): Promise<FakeFfmpeg> {
    const folder = await mkdtemp(join(tmpdir(), "streamer-ffmpeg-"));
    const fake = new FakeFfmpeg(folder);
    const lines = [
      "#!/bin/sh",
      "PATH=/usr/bin:/bin",
      `HERE='${folder}'`,
      'for argument in "$@"; do echo "$argument"; done > "$HERE/arguments"',
      'echo $$ > "$HERE/pid"',
      commands,
    ];
    await Bun.write(fake.path, `${lines.join("\n")}\n`);
    await chmod(fake.path, 0o755);
    return fake;
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  get path(): string {
    return join(this.folder, "ffmpeg");
  }

  /** The arguments of the last call; undefined if there was none. */
  async arguments(): Promise<string[] | undefined> {
    const file = Bun.file(join(this.folder, "arguments"));
    return (await file.exists()) ? (await file.text()).trimEnd().split("\n") : undefined;
  }

  /** The process of the last call still runs. */
  async isRunning(): Promise<boolean> {
    const pid = Number(await Bun.file(join(this.folder, "pid")).text());
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true });
  }
}
