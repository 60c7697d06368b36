import { plugin } from "bun";

/**
 * Lets a model file import `streamer/model`, which has types only; a compiler may keep that import. Here it resolves to
 * an empty module, so that nothing needs to be installed.
 */
export function resolveModelTypes(): void {
  plugin({
    name: "streamer/model",
    setup: (build) => void build.module("streamer/model", () => ({ loader: "object", exports: {} })),
  });
}
