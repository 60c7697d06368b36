import type { ModelModule } from "../../../src/model/model.ts";
import waiting from "./waiting.ts";

const { concurrency: _, ...alone } = waiting;

/** `waiting`, which does not declare that it takes several calls. */
export default { ...alone, name: "waiting-alone" } satisfies ModelModule;
