import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

import type { ServeProcess } from "./executable.ts";
import { withTimeout } from "./wait.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface ExchangeOptions {
  /** Local address that the request comes from; default 127.0.0.1. */
  readonly from?: string | undefined;
  /** Authority of a server with TLS, in PEM. */
  readonly ca?: string | undefined;
}

/** Sends the lines of a request as they stand, and returns the response. The connection is then cut. */
export async function exchange(
  { port, url }: ServeProcess,
  lines: readonly string[],
  { from = "127.0.0.1", ca }: ExchangeOptions = {},
): Promise<Answer> {
  const tcp = connect({ port, host: "127.0.0.1", localAddress: from });
  const socket: Socket = url.startsWith("https:") ? connectTls({ socket: tcp, servername: "localhost", ca }) : tcp;
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  let text = "";
  const read = async (): Promise<void> => {
    for await (const part of socket) {
      text += String(part);
      const [head = "", body] = text.split("\r\n\r\n");
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (body !== undefined && Buffer.byteLength(body) >= length) return;
    }
  };
  await withTimeout(`the response to ${lines[0]}`, read()).finally(() => socket.destroy());
  const [head = "", body = ""] = text.split("\r\n\r\n");
  const [first = "", ...rest] = head.split("\r\n");
  const fields = rest.map((line): [string, string] => [
    line.slice(0, line.indexOf(":")),
    line.slice(line.indexOf(":") + 2),
  ]);
  return { status: Number(first.split(" ")[1]), headers: new Headers(fields), body };
}
