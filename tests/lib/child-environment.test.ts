import { expect, test } from "bun:test";

import { childEnvironment } from "../../src/lib/child-environment.ts";

test("children get the environment without settings and the token, and with everything else", () => {
  const kept = { PATH: "/bin", STREAMER_PORT: "tcp://10.0.0.1:80", STREAMER: "1", OTEL_SERVICE_NAME: "a", EMPTY: "" };
  const own = { STREAMER__MODEL__API_KEY: "s3cret", streamer__server__port: "1", STREAMER_TOKEN: "s3cret" };
  expect(childEnvironment({ ...kept, ...own, NONE: undefined })).toEqual(kept);
});
