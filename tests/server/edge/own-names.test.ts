import { expect, test } from "bun:test";

import { OwnNames } from "../../../src/server/edge/own-names.ts";

const names = (hosts: string[], host = "127.0.0.1") => new OwnNames({ host, hosts }, "Build-1.corp.example");

test("addresses, localhost, the name of the machine and the names in server.hosts are own names", () => {
  const own = names(["streamer.example", "*.internal"]);
  for (const host of [
    "192.0.2.1",
    "2001:db8::1",
    "localhost",
    "app.localhost",
    "build-1.corp.example",
    "build-1.corp.example.local",
    "streamer.example",
    "a.internal",
    "b.a.internal",
  ]) {
    expect([host, own.has(host)]).toEqual([host, true]);
  }
  for (const host of ["evil.example", "internal", "x.streamer.example", "streamer.example.evil", "localhost.evil"]) {
    expect([host, own.has(host)]).toEqual([host, false]);
  }
});

test("the names in the certificate are own names as long as it is in use, since browsers check them", () => {
  let certificate = "DNS:example.org, DNS:*.example.net, IP Address:192.0.2.1";
  const own = new OwnNames({ host: "::", hosts: [] }, "build-1", () => certificate);
  expect(["example.org", "a.example.net", "evil.example", "x.example.org"].map((host) => own.has(host))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  certificate = "DNS:new.example";
  expect([own.has("new.example"), own.has("example.org")]).toEqual([true, false]);
});

test("the name that the server listens on is its own, and a star allows every name", () => {
  expect(names([], "box.example").has("box.example")).toBe(true);
  expect(names(["*"]).has("evil.example")).toBe(true);
});
