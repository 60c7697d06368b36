import type { Commands } from "../terminal/command-tree.ts";
import { writeOutput } from "../terminal/output.ts";
import { completeLine } from "./command-line.ts";
import { NOTHING } from "./completion.ts";
import { readRequest, REPLIES, type Shell, SHELLS } from "./replies.ts";

/** Answers a script: the first argument is the shell, the others are its request. */
export async function answerRequest(commands: Commands, [shell = "", ...args]: readonly string[]): Promise<void> {
  if (!isShell(shell)) return;
  const request = readRequest(shell, args);
  const reply =
    request === "redirection"
      ? REPLIES[shell]({ ...NOTHING, paths: "files" }, { words: [], current: "" })
      : REPLIES[shell](await completeLine(commands, request.words, request.current), request);
  await writeOutput(`${reply.join("\n")}\n`);
}

function isShell(name: string): name is Shell {
  return SHELLS.some((shell) => shell === name);
}
