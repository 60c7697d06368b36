import { expect, test } from "bun:test";

import { hideSecret, isSecretName, redactSecrets } from "../../src/lib/secrets.ts";

test.each([
  ["Authorization: Basic s3cret", "Authorization: Basic [redacted]"],
  ["Authorization: Bearer s3cret; accept: text/plain", "Authorization: Bearer [redacted]; accept: text/plain"],
  ['{"token": "s3cret"}', '{"token": "[redacted]"}'],
  ["/simple?ticket=s3cret&model=a", "/simple?ticket=[redacted]&model=a"],
  ["password=s3cret", "password=[redacted]"],
  ["API-Key: s3cret", "API-Key: [redacted]"],
  ["streamer.v1, ticket.Uo8jU0kq-_34567890, other", "streamer.v1, ticket.[redacted], other"],
  ["found strm_Uo8jU0kq-_34567890, a token", "found [redacted], a token"],
])("%s becomes %s", (text, redacted) => {
  expect(redactSecrets(text)).toBe(redacted);
});

test("a text without secrets stays as it is", () => {
  for (const text of [
    "",
    "the model was loaded",
    "src/ticket.ts:12",
    "a ticket. More text",
    "streamer_sessions_refused_total",
    "tokens per second: 5, password",
  ]) {
    expect(redactSecrets(text)).toBe(text);
  }
});

test("a field holds a secret when its name contains a word for one", () => {
  for (const name of ["Authorization", "set-cookie", "passwd", "client_secret", "access_token", "apiKey"]) {
    expect(isSecretName(name)).toBe(true);
  }
  for (const name of ["model", "trace_id", "session"]) expect(isSecretName(name)).toBe(false);
});

test("a text in a setting is hidden by its name, numbers and empty texts are not", () => {
  expect(hideSecret("api_key", "s3cret")).toBe("[redacted]");
  expect(hideSecret("password", "")).toBe("");
  expect(hideSecret("max_tokens", 448)).toBe(448);
  expect(hideSecret("language", "en")).toBe("en");
});
