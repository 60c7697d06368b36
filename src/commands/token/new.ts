import { appendFile, readFile, stat } from "node:fs/promises";

import type { ArgsDef, CommandDef } from "citty";

import type { Grant } from "../../auth/grant.ts";
import { checkName, formatTokenLine, parseTokenLine, TokenLineError } from "../../auth/token-line.ts";
import { parseTokenList, TokenListError } from "../../auth/token-list.ts";
import { hashToken, newToken } from "../../auth/token.ts";
import { codeOf, messageOf } from "../../lib/thrown.ts";
import { EXIT, ExitError, UsageError } from "../terminal/exit-codes.ts";
import { type GivenFlags, parseFlags } from "../terminal/flags.ts";
import { writeNotice, writeOutput } from "../terminal/output.ts";

/** The mode of a file that the command creates: for the user alone. */
const FILE_MODE = 0o600;
/** Flags that become fields of the line, with the same names. */
const FIELDS = ["sessions", "channels", "models", "expires"] as const;

const FLAGS = {
  name: {
    type: "positional",
    required: true,
    valueHint: "NAME",
    description: "Name of the client, such as call-center",
  },
  sessions: {
    type: "string",
    valueHint: "N",
    description: "Most sessions that the client may have open (default any)",
  },
  channels: {
    type: "string",
    valueHint: "N",
    description: "Most channels in one stream (default those of the server)",
  },
  models: { type: "string", valueHint: "A,B", description: "Models that the client may use (default all)" },
  expires: {
    type: "string",
    valueHint: "DATE",
    description: "Last day of the token, such as 2027-06-30, or its end, such as 2027-06-30T18:00:00Z (default none)",
  },
  admin: { type: "boolean", description: "For the pages of operators; the token opens no sessions" },
  file: {
    type: "string",
    valueHint: "FILE",
    description: "Append the line to this file, and print the token only; the file is created if there is none",
  },
} as const satisfies ArgsDef;

/** Creates a token. It is printed once; only its hash is stored. */
export const tokenNewCommand: CommandDef = {
  args: FLAGS,
  async run({ rawArgs }) {
    const flags = parseFlags(rawArgs, FLAGS);
    const token = newToken();
    const line = formatTokenLine(grantOf(flags, hashToken(token).toString("hex")));
    const file = flags.string("file");
    if (file !== undefined) await appendLine(file, line);
    await writeOutput(file === undefined ? `${token}\n${line}\n` : `${token}\n`);
    if (process.stdout.isTTY) await writeNotice(`\n${explanation(file)}`);
  },
};

/** Returns what the flags ask for. Throws UsageError, which names the flag. */
function grantOf(flags: GivenFlags, hash: string): Grant {
  const name = flags.string("name");
  if (name === undefined) throw new UsageError("missing name: use streamer token new NAME");
  try {
    checkName(name);
    const fields = FIELDS.flatMap((key) => (flags.has(key) ? [`${key}=${flags.string(key)}`] : []));
    const spaced = FIELDS.find((key) => /\s/.test(flags.string(key) ?? ""));
    if (spaced !== undefined) throw new UsageError(`--${spaced}: found a space; allowed: a value without spaces`);
    const grant = parseTokenLine(
      [name, `sha256:${hash}`, ...fields, ...(flags.has("admin") ? ["admin"] : [])].join(" "),
    );
    if (grant !== undefined) return grant;
  } catch (error) {
    if (!(error instanceof TokenLineError)) throw error;
    throw new UsageError(error.message.replace(/^(?!name:)/, "--"));
  }
  throw new UsageError("missing name: use streamer token new NAME");
}

/** Appends a line to a token file whose other lines are valid. Throws UsageError if they are not, else ExitError. */
async function appendLine(file: string, line: string): Promise<void> {
  try {
    const text = await existing(file);
    parseTokenList(text, file);
    const separator = text === "" || text.endsWith("\n") ? "" : "\n";
    // One write: a server that reads the file meanwhile sees the whole line or nothing of it.
    await appendFile(file, `${separator}${line}\n`, { mode: FILE_MODE });
  } catch (error) {
    if (error instanceof TokenListError) throw new UsageError(error.message);
    throw error instanceof UsageError ? error : new ExitError(EXIT.failure, `${file}: ${messageOf(error)}`);
  }
}

async function existing(file: string): Promise<string> {
  try {
    if (!(await stat(file)).isFile()) throw new UsageError(`--file: ${file} is no regular file`);
    return await readFile(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "";
    throw error;
  }
}

function explanation(file: string | undefined): string {
  const subject = file === undefined ? "The first line" : "This";
  const first = `${subject} is the token. It is shown only now: give it to the client, as STREAMER_TOKEN.`;
  const where =
    file === undefined
      ? "The second line belongs in the file that the setting auth.tokens names."
      : `Its hash is in ${file}, for the setting auth.tokens.`;
  return `${first}\n${where}\nA running server reads the file again when it changes.`;
}
