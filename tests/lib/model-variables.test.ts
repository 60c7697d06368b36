import { expect, test } from "bun:test";

import { modelVariables } from "../../src/lib/model-variables.ts";

const OWN = { BUN_ENABLE_CRASH_REPORTING: "0" };

test("processes of models get the variables of programs and libraries, in any case", () => {
  const given = {
    ...{ PATH: "/bin", LC_ALL: "C", http_proxy: "http://proxy", PYTHONPATH: "/lib", CUDA_VISIBLE_DEVICES: "1" },
    ...{ OMP_NUM_THREADS: "2", HF_HOME: "/weights", VIRTUAL_ENV: "/venv" },
  };
  expect(modelVariables({}, given)).toEqual({ ...given, ...OWN });
});

test("processes of models get nothing else, because it may be a secret", () => {
  const secrets = {
    ...{ STREAMER__AUTH__TOKENS: "file", STREAMER_TOKEN: "token", OTEL_EXPORTER_OTLP_HEADERS: "key=secret" },
    ...{ AWS_SECRET_ACCESS_KEY: "a", DATABASE_URL: "b", UV_PUBLISH_TOKEN: "c", TF_VAR_password: "d", MYPATH: "e" },
  };
  expect(modelVariables({}, secrets)).toEqual(OWN);
});

test("what is configured takes the place of what passes", () => {
  expect(modelVariables({ PATH: "/opt", TOKEN: "t" }, { PATH: "/bin" })).toEqual({ ...OWN, PATH: "/opt", TOKEN: "t" });
});
