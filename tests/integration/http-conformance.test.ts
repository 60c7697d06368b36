import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";

import { type ServeProcess, sharedExecutable } from "../support/executable.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { TRANSPORTS } from "../support/transports.ts";

// Far longer than these tests take, so that a busy machine does not fail them.
setDefaultTimeout(300_000);

const executable = await sharedExecutable();

/** HTTP/1.1 by RFC 9110 and 9112, also as attackers write it, by the compiled executable on bare sockets. */

const HEALTH = "/api/v1/health";

interface RequestText {
  readonly method?: string;
  readonly target?: string;
  readonly version?: string;
  readonly host?: string;
  /** Header lines. */
  readonly lines?: readonly string[];
  readonly body?: string;
}

function request({
  method = "GET",
  target = HEALTH,
  version = "HTTP/1.1",
  host = "Host: localhost",
  lines = [],
  body = "",
}: RequestText = {}): string {
  return [`${method} ${target} ${version}`, ...(host === "" ? [] : [host]), ...lines, "", body].join("\r\n");
}

/** A request whose answer shows that the server is in step with the client: no other has this status. */
const NEXT = request({ target: "/api/v1/segmented" });
const CHUNKED = "Transfer-Encoding: chunked";

describe.each(TRANSPORTS)("HTTP over $name", ({ connect, settings }) => {
  let server: ServeProcess;
  beforeAll(async () => {
    server = await executable.serve({ ...(await settings()) });
  });

  /** Returns the statuses of all responses to these bytes, and `closed` if the server closes the connection. */
  async function statuses(bytes: string, heads: readonly number[] = []): Promise<string> {
    using connection = await RawConnection.open(server.port, connect);
    connection.write(bytes);
    // The answer to it ends the connection.
    connection.write(NEXT);
    const found: (number | string)[] = [];
    for (;;) {
      const response = await connection.response(!heads.includes(found.length));
      if (typeof response === "string") return [...found, "closed"].join(" ");
      if (response.status === 426) return [...found, "open"].join(" ");
      found.push(response.status);
    }
  }

  async function expectStatuses(cases: Readonly<Record<string, string>>, wanted: string): Promise<void> {
    const found = await Promise.all(Object.entries(cases).map(async ([title, text]) => [title, await statuses(text)]));
    expect(Object.fromEntries(found)).toEqual(Object.fromEntries(Object.keys(cases).map((title) => [title, wanted])));
  }

  const post = (lines: readonly string[], body = ""): string => request({ method: "POST", lines, body });

  test("a body whose length can be read in two ways is refused, and the connection closed", async () => {
    const hidden = request({ target: "/nothing" });
    await expectStatuses(
      {
        "a length and chunks": post(["Content-Length: 4", CHUNKED], `0\r\n\r\n${hidden}`),
        "chunks and a length": post([CHUNKED, "Content-Length: 4"], `0\r\n\r\n${hidden}`),
        "both, on a GET": request({ lines: ["Content-Length: 4", CHUNKED], body: "0\r\n\r\n" }),
        "two lengths": post(["Content-Length: 2", "Content-Length: 3"], "abc"),
        "a list of lengths": post(["Content-Length: 2, 2"], "ab"),
        "a sign": post(["Content-Length: +2"], "ab"),
        "a negative length": post(["Content-Length: -1"]),
        "a hexadecimal length": post(["Content-Length: 0x2"], "ab"),
        "a length beyond 64 bits": post(["Content-Length: 18446744073709551618"], "ab"),
        "an empty length": post(["Content-Length: "]),
        "no number": post(["Content-Length: two"], "ab"),
        "chunked, but not last": post(["Transfer-Encoding: chunked, gzip"], "0\r\n\r\n"),
        "another coding before chunked": post(["Transfer-Encoding: gzip, chunked"], "0\r\n\r\n"),
        "chunked twice": post(["Transfer-Encoding: chunked, chunked"], "0\r\n\r\n"),
        "chunked and identity": post([CHUNKED, "Transfer-Encoding: identity"], "0\r\n\r\n"),
        identity: post(["Transfer-Encoding: identity"], "ab"),
        "almost chunked": post(["Transfer-Encoding: xchunked"], "0\r\n\r\n"),
        "an empty coding": post(["Transfer-Encoding: "], "0\r\n\r\n"),
        "a space before the colon": post(["Transfer-Encoding : chunked"], "0\r\n\r\n"),
        "a folded header": post(["Transfer-Encoding:", " chunked"], "0\r\n\r\n"),
      },
      "400 closed",
    );
  });

  test("chunks that are not in order end the connection, so that nothing behind them is taken for a request", async () => {
    const chunks = (body: string): string => post([CHUNKED], body);
    await expectStatuses(
      {
        "no end of the line": chunks("2\r\nabXX0\r\n\r\n"),
        "a prefix": chunks("0x2\r\nab\r\n0\r\n\r\n"),
        "a sign": chunks("-2\r\nab\r\n0\r\n\r\n"),
        "a space": chunks("2 \r\nab\r\n0\r\n\r\n"),
        "a space in front": chunks(" 2\r\nab\r\n0\r\n\r\n"),
        "no carriage return": chunks("2\nab\n0\n\n"),
        "a length beyond 64 bits": chunks("fffffffffffffffff2\r\nab\r\n0\r\n\r\n"),
        "the largest length": chunks("ffffffffffffffff\r\nab"),
        "no length": chunks("\r\nab\r\n0\r\n\r\n"),
        "no number": chunks("g\r\nab\r\n0\r\n\r\n"),
        trailers: chunks("0\r\nTransfer-Encoding: x\r\nContent-Length: 3\r\n\r\n"),
      },
      "405 400 closed",
    );
    expect(await statuses(chunks(`2;${"x".repeat(70_000)}\r\nab\r\n0\r\n\r\n`))).toBe("405 413 closed");
  });

  test("a body that is not asked for is skipped, and the next request on the connection is answered", async () => {
    const length = (size: number): string => `Content-Length: ${size}`;
    for (const [text, wanted] of [
      [post([length(2)], "ab"), "405 open"],
      [post([length(2), length(2)], "ab"), "405 open"],
      [post(["Content-Length:  002 "], "ab"), "405 open"],
      [post([CHUNKED], "2\r\nab\r\n0\r\n\r\n"), "405 open"],
      [post(["Transfer-Encoding: \tChunked "], "2;ext=1\r\nab\r\n0002\r\nab\r\n0\r\n\r\n"), "405 open"],
      [post([length(1_048_576)], "x".repeat(1_048_576)), "405 open"],
      [request({ lines: [length(5)], body: "hello" }), "200 open"],
      [request({ lines: [CHUNKED], body: "5\r\nhello\r\n0\r\n\r\n" }), "200 open"],
      [request({ method: "DELETE", lines: [length(5)], body: "hello" }), "405 open"],
      [post([length(1_048_577)]), "413 closed"],
      [post([length(2 ** 40)]), "413 closed"],
    ] as const) {
      expect([text.slice(0, 80), await statuses(text)]).toEqual([text.slice(0, 80), wanted]);
    }
  });

  test("Expect: 100-continue is answered before the body comes, other expectations are ignored", async () => {
    using connection = await RawConnection.open(server.port, connect);
    connection.write(post(["Content-Length: 5", "Expect: 100-continue"]));
    expect(await connection.response()).toMatchObject({ status: 100 });
    expect(await connection.response()).toMatchObject({ status: 405 });
    connection.write(`hello${request()}`);
    expect(await connection.response()).toMatchObject({ status: 200 });
    expect(await statuses(request({ lines: ["Expect: 200-ok"] }))).toBe("200 open");
  });

  test("requests may be pipelined, cut at every byte, and of several methods; the answers come in order", async () => {
    expect(await statuses(request().repeat(100))).toBe(`${"200 ".repeat(100)}open`);
    const mixed = [
      request(),
      request({ method: "HEAD" }),
      request({ target: "/nothing" }),
      request({ method: "HEAD", target: "/nothing" }),
      post(["Content-Length: 3"], "abc"),
      request({ method: "OPTIONS" }),
      request(),
    ];
    expect(await statuses(mixed.join(""), [1, 3])).toBe("200 200 404 404 405 204 200 open");
    const all = Buffer.from(request());
    const cut = async (at: number): Promise<number | undefined> => {
      using connection = await RawConnection.open(server.port, connect);
      await connection.writeApart([all.subarray(0, at), all.subarray(at)]);
      const response = await connection.response();
      return typeof response === "string" ? undefined : response.status;
    };
    const cuts = await Promise.all(Array.from({ length: all.length - 1 }, (_, i) => cut(i + 1)));
    expect(new Set(cuts)).toEqual(new Set([200]));
  });

  test("each method has its status; the connection is closed for a name that is no method of HTTP", async () => {
    const found: Record<string, string> = {};
    for (const method of ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"]) {
      found[method] = await statuses(request({ method }), method === "HEAD" ? [0] : []);
    }
    for (const method of ["FOO", "get", "G".repeat(100)]) found[method] = await statuses(request({ method }));
    expect(found).toEqual({
      GET: "200 open",
      HEAD: "200 open",
      OPTIONS: "204 open",
      ...Object.fromEntries(
        ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"].map((method) => [method, "405 open"]),
      ),
      // Bun 1.4.5 gives no answer to these.
      ...Object.fromEntries(["FOO", "get", "G".repeat(100)].map((method) => [method, "closed"])),
    });
  });

  test("HTTP/1.0 and Connection: close end the connection after the answer", async () => {
    await expectStatuses(
      {
        "1.0": request({ version: "HTTP/1.0" }),
        "1.0 without a Host": request({ version: "HTTP/1.0", host: "" }),
        "1.0 that would go on": request({ version: "HTTP/1.0", lines: ["Connection: keep-alive"] }),
        close: request({ lines: ["Connection: close"] }),
      },
      "200 closed",
    );
    await expectStatuses(
      Object.fromEntries(
        ["HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/1", "HTTX/1.1", ""].map((version) => [
          version,
          request({ version }),
        ]),
      ),
      "505 closed",
    );
    expect(await statuses("GET /\r\n\r\n")).toBe("505 closed");
  });

  test("a target leads to the route that its path names, whatever its form, and never to a file", async () => {
    const to = (targets: readonly string[]): Record<string, string> =>
      Object.fromEntries(targets.map((target) => [target.slice(0, 60), request({ target })]));
    await expectStatuses(
      to([
        `http://localhost${HEALTH}`,
        `HTTP://localhost${HEALTH}`,
        // The Host header counts, and has been checked.
        `https://elsewhere.example:99${HEALTH}`,
        "/api/v1/../v1/health",
        "/api/v1/%2e%2e/v1/health",
        "/./api/v1/health",
        "/api/v1/health/x/..",
        "/api/v1/h%65alth",
        "/api/v1/health?%00",
        "/api/v1/health?a=%ff&b=[]",
        `/api/v1/health?${"a=b&".repeat(2_000)}`,
        "/".repeat(8_000),
      ]),
      "200 open",
    );
    await expectStatuses(
      to([
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/..\\..\\etc\\passwd",
        "/api%2fv1%2fhealth",
        "/api/v1/health%00",
        "/api/v1/health;x=1",
        "/api/v1/%",
        "/api/v1/%zz",
        "/api/v1/%ff%fe",
        "/API/V1/HEALTH",
        "/%0d%0aX:%20y",
        "/<script>alert(1)</script>",
        "/\x7f",
        "/\xff\xfe",
        "/__proto__",
        "/constructor",
        "/a/".repeat(4_000),
      ]),
      "404 open",
    );
    await expectStatuses(
      to(["", "*", "api/v1/health", "127.0.0.1:80", "file:///etc/passwd", "\\api\\v1\\health"]),
      "400 closed",
    );
    await expectStatuses(to(["/api/v1/health\0", "/ /x"]), "505 closed");
  });

  test("a header that is none is refused; so are too many, and more than 16 KiB of them", async () => {
    const lines = (...all: readonly string[]): string => request({ lines: all });
    await expectStatuses(
      {
        "NUL in a value": lines("A: b\0c"),
        "NUL in a name": lines("A\0: b"),
        "NUL in front": `\0${request()}`,
        "a carriage return in a value": lines("A: b\rc"),
        "no colon": lines("abc"),
        "no name": lines(": a"),
        "a folded value": lines("A: b", " c"),
        "no Host": request({ host: "" }),
        "NUL in the Host": request({ host: "Host: a\0b" }),
      },
      "400 closed",
    );
    await expectStatuses(
      {
        "64 KiB in one": lines(`A: ${"b".repeat(65_536)}`),
        "64 KiB in 64": lines(...Array.from({ length: 64 }, (_, i) => `A${i}: ${"b".repeat(1_000)}`)),
        "10,000 small ones": lines(...Array.from({ length: 10_000 }, () => "a:b")),
      },
      "431 closed",
    );
    // The reset of a connection with unread bytes may overtake the answer.
    const huge = [request({ target: `/${"a".repeat(1_048_576)}` }), lines(`A: ${"b".repeat(1_048_576)}`)];
    for (const text of huge) expect(await statuses(text)).toBeOneOf(["431 closed", "closed"]);
    await expectStatuses(
      { "8 KiB in one": lines(`A: ${"b".repeat(8_192)}`), "bytes beyond ASCII": lines("A: \xff\xfe") },
      "200 open",
    );
  });

  test("an answer is complete for a client that has closed its side; half a request gets none", async () => {
    for (const [text, wanted] of [
      [request(), 200],
      [request({ target: "/metrics" }), 200],
      [request().slice(0, 20), "FIN"],
      ["", "FIN"],
    ] as const) {
      using connection = await RawConnection.open(server.port, connect);
      connection.write(text);
      connection.finish();
      const response = await connection.response();
      expect(typeof response === "string" ? response : response.status).toBe(wanted);
      expect(await connection.ended()).toBe("FIN");
    }
  });

  test("is never logged as a fault of the server, and the path of a request that is not found is not executable", async () => {
    const page = await fetch(`${server.url}/<script>alert(1)</script>`, { tls: { rejectUnauthorized: false } });
    expect(page.headers.get("content-type")).toStartWith("text/plain");
    expect(await page.text()).not.toContain("<script>");
    expect(server.err.split("\n").filter((record) => record.includes('"level":"error"'))).toEqual([]);
  });
});
