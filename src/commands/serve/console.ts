import type { Config } from "../../config/config.ts";
import { RECORD_START } from "../../server/processes/lines.ts";
import { LineOutput } from "../../telemetry/log/line-output.ts";
import { type Logger, type LogLine, openLog } from "../../telemetry/log/log.ts";
import { prettyLine } from "../../telemetry/log/pretty.ts";
import { columnsOf, isTerminal, rowsOf, usesColour } from "../terminal/output.ts";
import { type StatusOutput, type StatusSource, StatusTerminal } from "./status-terminal.ts";

/** Longest time that the end of the server waits for the reader of its log. */
const FLUSH_LIMIT_MS = 1_000;

/** What a server shows: its log on standard error, and one line on standard output. Neither can hold the server up. */
export interface ServeConsole extends AsyncDisposable {
  readonly log: Logger;
  /** Prints a line to standard output. */
  print(line: string): void;
  /** Prints a record, or other lines, that another process of the server has written to its standard error. */
  relay(line: string): void;
  /** Shows a line about the load of the models, in the place of the status line, if there is one. */
  showLoading(describe: () => string): void;
  /** Shows a status line below the log, if standard error is a terminal and the log is not JSON. */
  showStatus(source: StatusSource): void;
}

/** @param dropped a log line could not be written */
export function openConsole({ level, format }: Config["log"], dropped: () => void): ServeConsole {
  const out = new LineOutput(process.stdout, 1, {
    failed: (reason) => log.warn("output_failed", { output: "standard output", reason }),
  });
  const err = new LineOutput(process.stderr, 2, {
    dropped,
    recovered: (lines) => log.warn("log_lines_dropped", { lines }),
    failed: (reason, isGone) => {
      const then = isGone ? "the server goes on without a log" : "log lines are lost";
      out.write(`standard error cannot be written (${reason}): ${then}\n`);
    },
  });
  const hasStatus = isTerminal(process.stderr) && format !== "json";
  const status = hasStatus
    ? new StatusTerminal(screenOutput(out, process.stdout), screenOutput(err, process.stderr))
    : undefined;
  const isPretty = format === "pretty" || (format === "auto" && process.stderr.isTTY);
  const colour = usesColour(process.stderr);
  const write = (line: string) => (status === undefined ? err.write(line) : status.log(line));
  const render = isPretty ? (line: LogLine) => prettyLine(line, colour) : undefined;
  const log = openLog({ level, ...(render && { render }), write });
  return {
    log,
    print: (line) => (status === undefined ? out.write(`${line}\n`) : status.print(line)),
    relay: (line) => {
      const record = render && parseRecord(line);
      write(record === undefined ? line : `${render?.(record)}\n`);
    },
    showLoading: (describe) => status?.startLoading(describe),
    showStatus: (source) => status?.start(source),
    async [Symbol.asyncDispose]() {
      log[Symbol.dispose]();
      status?.[Symbol.dispose]();
      await err.flush(FLUSH_LIMIT_MS);
    },
  };
}

/** Returns the record that a line is; undefined for other output, such as that of a model. */
function parseRecord(line: string): LogLine | undefined {
  if (!line.startsWith(RECORD_START)) return undefined;
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return undefined;
  }
}

function screenOutput(output: LineOutput, stream: NodeJS.WriteStream): StatusOutput {
  return {
    isTerminal: isTerminal(stream),
    get columns() {
      return columnsOf(stream);
    },
    get rows() {
      return rowsOf(stream);
    },
    get waiting() {
      return output.waiting;
    },
    write: (text) => output.write(text),
    flush: () => output.flush(FLUSH_LIMIT_MS),
  };
}
