import { request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";

import { codeOf } from "../../lib/thrown.ts";

/** Longest time for the request. */
const TIMEOUT_MS = 2_000;
/** Most characters of a response that are read. */
const MAX_BODY = 64 * 1024;

/**
 * Finds out why a WebSocket could not be opened: repeats the upgrade request over plain HTTP, because the WebSocket
 * API hides the status and the body of a refusal. Returns a phrase for a message; never rejects.
 */
export function findRefusalReason(addr: URL): Promise<string> {
  const url = new URL(addr);
  url.protocol = addr.protocol === "wss:" ? "https:" : "http:";
  return new Promise((resolve) => {
    const request = (url.protocol === "https:" ? secureRequest : plainRequest)(url, {
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16)))),
      },
    });
    const timer = setTimeout(() => done("no response"), TIMEOUT_MS);
    const done = (reason: string) => {
      clearTimeout(timer);
      request.destroy();
      resolve(reason);
    };
    request.on("error", (error) => done(describeError(error)));
    request.on("upgrade", (_, socket) => {
      socket.destroy();
      done("the connection failed, but a second attempt succeeded");
    });
    request.on("response", (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => {
        body = (body + text).slice(0, MAX_BODY);
      });
      const finish = () => done(describeResponse(response.statusCode ?? 0, body));
      response.on("end", finish);
      response.on("error", finish);
    });
    request.end();
  });
}

function describeError(error: Error): string {
  const code = codeOf(error) ?? "";
  if (["ECONNREFUSED", "ConnectionRefused"].includes(code)) return "nothing listens there";
  if (["ENOTFOUND", "EAI_AGAIN", "ConnectionError"].includes(code)) return `unknown host (${code})`;
  return error.message;
}

function describeResponse(status: number, body: string): string {
  try {
    const error: unknown = JSON.parse(body);
    if (typeof error === "object" && error !== null && "code" in error && "message" in error) {
      return `refused with HTTP ${status}, ${String(error.code)}: ${String(error.message)}`;
    }
  } catch {
    // The body is not an error object of this protocol; the status is enough.
  }
  if (status === 404) return "refused with HTTP 404: no such route";
  return status < 300 ? "the server there does not speak WebSocket" : `refused with HTTP ${status}`;
}
