import type { ModelModule, StatefulModel } from "../../../src/model/model.ts";

/** What the state is: memory that is shared, noise that no token can hold, or little plain data. */
type Kind = "shared" | "large" | "plain";

interface State {
  readonly blocks: number;
  readonly kept: unknown;
}

/** Counts the blocks of a stream. The model option `kind` says what its state is. */
class Keeping implements StatefulModel<object, State> {
  start({ options }: { readonly options?: unknown }): State {
    const { kind = "plain" } = (options ?? {}) as { kind?: Kind };
    const noise = () => crypto.getRandomValues(new Uint8Array(60_000));
    return { blocks: 0, kept: kind === "shared" ? new SharedArrayBuffer(8) : kind === "large" ? noise() : "little" };
  }

  step(_audio: Float32Array, { blocks, kept }: State): [object, State] {
    return [{ block: blocks }, { blocks: blocks + 1, kept }];
  }

  finish({ blocks }: State): object {
    return { blocks };
  }
}

export default { name: "keeping", stateful: true, load: () => new Keeping() } satisfies ModelModule;
