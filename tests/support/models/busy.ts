import type { ModelModule } from "streamer/model";

/** Processor time of a call, in microseconds. */
const CALL_US = 800_000;

/** Computes for a fixed time of its thread's processor, which stands still while the process is frozen. */
const module: ModelModule = {
  name: "busy",
  load: () => ({
    warmUp() {},
    infer(audio) {
      const begin = process.threadCpuUsage();
      for (;;) {
        const { user, system } = process.threadCpuUsage(begin);
        if (user + system >= CALL_US) return { count: audio.length };
      }
    },
  }),
};

export default module;
