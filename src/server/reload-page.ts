import type { Context, Hono } from "hono";

import { ProtocolError } from "../protocol/errors.ts";
import type { GuardedEnv, PathGuard } from "./edge/guard.ts";
import type { ReloadResult } from "./model-entry.ts";
import { refuse } from "./pages.ts";

/** Where operators have models loaded again. */
export const RELOAD = "/api/v1/reload";

/** The server, as far as its models can be loaded again. */
export interface ReloadHost {
  /**
   * Loads a model again; undefined: all that are from files. Rejects with ProtocolError when there is no such model, or
   * not at the moment.
   */
  reload(model: string | undefined): Promise<readonly ReloadResult[]>;
}

/** HTTP status of an answer that has this result, and none of a row above. */
const STATUS = { failed: 422, refused: 409, loaded: 200 } as const;

/** Adds the page that reloads models: all, or the one in the parameter `model`. */
export function addReload(app: Hono<GuardedEnv>, { reload }: ReloadHost, guard: PathGuard): void {
  app.post(RELOAD, guard(RELOAD), async (c) => {
    try {
      const models = await reload(modelOf(c));
      const worst = Object.entries(STATUS).find(([result]) => models.some((each) => each.result === result));
      return c.json({ models }, worst?.[1] ?? STATUS.loaded);
    } catch (error) {
      if (error instanceof ProtocolError) return refuse(error);
      throw error;
    }
  });
  app.all(RELOAD, (c) => c.text("Models are reloaded by a POST.\n", 405, { allow: "POST" }));
}

/** Throws ProtocolError for another parameter, so that a misspelled one does not reload all models. */
function modelOf(c: Context<GuardedEnv>): string | undefined {
  const { model, ...others } = c.req.queries();
  const [other] = Object.keys(others);
  if (other === undefined && (model === undefined || model.length === 1)) return model?.[0];
  const message = `${other ?? "model"}: found ${other === undefined ? "several" : "an unknown parameter"}; allowed: model, once`;
  throw new ProtocolError("invalid_request", message, { param: other ?? "model" });
}
