import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { waitUntil } from "./wait.ts";

/** Files in the folder in which command lines are completed: with spaces, quotes, colons and equals signs. */
const FILES = ["my file.wav", "it's.wav", "a:b.wav", "x=y.yaml", "config.yaml", "model.py"];

/** Creates the files that completion finds. */
export async function createFiles(folder: string): Promise<void> {
  await Promise.all(FILES.map((file) => writeFile(join(folder, file), "")));
  await mkdir(join(folder, "simdir"));
}

interface Script {
  readonly command: readonly string[];
  /** Lines that are typed at the beginning. */
  readonly setUp: readonly string[];
  /** The key that inserts all candidates. */
  readonly allKey: string;
}

const TAB = "\t";
const SHOW = "\x07";
const CLEAR = "\x15";

const SHELLS = {
  bash: {
    command: ["bash", "--norc", "--noprofile", "-i"],
    setUp: [
      "bind 'set completion-query-items 0'; bind 'set page-completions off'; bind 'set enable-bracketed-paste off'",
      `show() { printf 'LINE<%s>END' "$READLINE_LINE"; READLINE_LINE=; }; bind -x '"\\C-g": show'`,
    ],
    allKey: "\x1b*",
  },
  zsh: {
    command: ["zsh", "-f", "-i"],
    setUp: [
      "unsetopt zle_bracketed_paste prompt_sp auto_menu; PS1='> '; autoload -Uz compinit; compinit -u -D",
      "zstyle ':completion:all:*' completer _all_matches _complete; zstyle ':completion:all:*' insert true",
      "zle -C all complete-word _generic; bindkey '^X' all; bindkey '^I' complete-word; bindkey '^U' kill-whole-line",
      `show() { print -rn -- "LINE<$BUFFER>END"; BUFFER= }; zle -N show; bindkey '^G' show`,
    ],
    allKey: "\x18",
  },
} as const satisfies Record<string, Script>;

interface Place {
  /** Where the shell runs, and its home. */
  readonly folder: string;
  /** The folders of programs. */
  readonly path: string;
}

/** An interactive shell at a terminal, whose editor completes command lines. */
export class CompletingShell implements AsyncDisposable {
  readonly #child: Bun.Subprocess;
  readonly #allKey: string;
  #text = "";

  /** @param lines that load the completion */
  static async start(shell: keyof typeof SHELLS, place: Place, lines: readonly string[]): Promise<CompletingShell> {
    const { command, setUp, allKey } = SHELLS[shell];
    const started = new CompletingShell(command, allKey, place);
    for (const line of [...setUp, ...lines, "echo RE''ADY"]) started.#type(`${line}\n`);
    await waitUntil(`${shell} to be ready`, () => started.#text.includes("READY"));
    return started;
  }

  private constructor(command: readonly string[], allKey: string, { folder, path }: Place) {
    const decoder = new TextDecoder();
    this.#allKey = allKey;
    this.#child = Bun.spawn([...command], {
      cwd: folder,
      env: { PATH: path, HOME: folder, TERM: "dumb", LC_ALL: "C.UTF-8" },
      terminal: {
        cols: 200,
        rows: 50,
        data: (_, data) => {
          this.#text += decoder.decode(data, { stream: true });
        },
      },
    });
  }

  /** Returns the command line after the Tab key. */
  async afterTab(line: string): Promise<string> {
    return await this.#edit(line, TAB);
  }

  /** Returns the command line after the key that inserts every candidate. */
  async withAll(line: string): Promise<string> {
    return (await this.#edit(line, this.#allKey)).trimEnd();
  }

  /** Everything that the terminal got since the last command line. */
  get shown(): string {
    return this.#text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
    this.#child.terminal?.close();
  }

  async #edit(line: string, key: string): Promise<string> {
    this.#text = "";
    this.#type(CLEAR + line + key + SHOW);
    await waitUntil(`the completion of ${line}`, () => /LINE<[^]*>END/.test(this.#text));
    return /LINE<([^]*)>END/.exec(this.#text)?.[1] ?? "";
  }

  #type(keys: string): void {
    this.#child.terminal?.write(keys);
  }
}

/** Returns the candidates of fish for a command line, each with its description behind a tab. */
export async function completeInFish(line: string, { folder, path }: Place, load: string): Promise<string[]> {
  const child = Bun.spawn(["fish", "--no-config", "-c", `${load}; complete -C "$argv[1]"`, "--", line], {
    cwd: folder,
    env: { PATH: path, HOME: folder, LC_ALL: "C.UTF-8" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if (err !== "") throw new Error(`fish: ${err}`);
  return out.split("\n").filter((candidate) => candidate !== "");
}
