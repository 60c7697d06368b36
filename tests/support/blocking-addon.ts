// A native add-on (Node-API) that blocks, and then behaves like those written with node-addon-api: a call of Node-API
// that fails, as every one does in a thread that is being terminated, ends the process.

import { expect } from "bun:test";

/** Orders to the model of `addonModel`, by the first sample: block in the add-on; wait for ever. */
export const BLOCK = 1;
export const WAIT = 2;

/** How long the add-on blocks, ms. */
export const BLOCK_MS = 120;

/** Statements that load the add-on `blocking.node` in the folder of the model as `addon`. */
export const ADDON_IMPORTS = {
  require: `const addon = require("./blocking.node");`,
  "process.dlopen": `const holder = { exports: {} };
    process.dlopen(holder, Bun.fileURLToPath(new URL("./blocking.node", import.meta.url)));
    const addon = holder.exports;`,
  createRequire: `import { createRequire } from "node:module";
    const addon = createRequire(import.meta.url)("./blocking.node");`,
} as const;

/** Builds the add-on. Its source declares the functions of Node-API, because the headers may not be installed. */
export async function buildAddon(path: string): Promise<void> {
  const source = `
    #include <stdint.h>
    #include <stdlib.h>
    #include <time.h>
    int napi_create_int32(void *env, int32_t value, void **result);
    int napi_create_function(void *env, const char *name, size_t length, void *cb, void *data, void **result);
    int napi_set_named_property(void *env, void *object, const char *name, void *value);
    static void *block(void *env, void *info) {
      struct timespec begin, now;
      (void)info;
      clock_gettime(CLOCK_MONOTONIC, &begin);
      do clock_gettime(CLOCK_MONOTONIC, &now);
      while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < ${BLOCK_MS});
      void *holder, *answer;
      if (napi_create_function(env, "f", 1, (void *)block, 0, &holder) != 0) abort();
      if (napi_create_int32(env, 42, &answer) != 0) abort();
      if (napi_set_named_property(env, holder, "answer", answer) != 0) abort();
      return answer;
    }
    void *napi_register_module_v1(void *env, void *exports) {
      void *function;
      napi_create_function(env, "block", 5, (void *)block, 0, &function);
      napi_set_named_property(env, exports, "block", function);
      return exports;
    }`;
  const child = Bun.spawn(["cc", "-O1", "-shared", "-fPIC", "-o", path, "-x", "c", "-"], {
    stdin: Buffer.from(source),
  });
  expect(await child.exited).toBe(0);
}

/** Returns the source of a model that uses the add-on. With the setting `loads`, it blocks while it loads. */
export function addonModel(load: string): string {
  return `${load}
    export default {
      name: "addon",
      load(settings) {
        for (let i = 0; settings.loads && i < 3; i++) addon.block();
        return {
          warmUp() {},
          infer(audio) {
            if (audio[0] === ${WAIT}) return new Promise(() => {});
            return { answer: audio[0] === ${BLOCK} ? addon.block() : 42 };
          },
        };
      },
    };`;
}
