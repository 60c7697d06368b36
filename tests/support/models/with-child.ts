import { appendFileSync } from "node:fs";

import type { ModelModule } from "../../../src/model/model.ts";
import { ORDERS } from "./puppet.ts";

/** Starts a child process in each worker by the ways that docs/models.md recommends, and writes its pid to a file. */
export default {
  name: "with-child",
  settings: { file: { default: "" }, way: { default: "stdin" }, close: { default: false } },
  load({ file, way, close }) {
    const commands: Readonly<Record<string, string[]>> = {
      stdin: ["cat"],
      setpriv: ["setpriv", "--pdeathsig", "KILL", "--", "sleep", "600"],
      none: ["sleep", "600"],
    };
    const child = Bun.spawn(commands[String(way)]!, { stdin: "pipe", stdout: "ignore" });
    appendFileSync(String(file), `${child.pid}\n`);
    return {
      warmUp() {},
      infer(audio: Float32Array) {
        if (audio[0] === ORDERS.exit) process.exit(3);
        if (audio[0] === ORDERS.overtime) Bun.sleepSync(300);
        if (audio[0] === ORDERS.spin) for (;;);
        return {};
      },
      ...(close === true && { close: () => child.kill("SIGKILL") }),
    };
  },
} satisfies ModelModule;
