// The environment of programs that download packages. JavaScript, because scripts/setup.mjs needs it.

import { spawnSync } from "node:child_process";
import { accessSync, constants, mkdirSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The environment of downloads. npm and Bun cache below HOME; without a writable one they use a temporary folder. */
export function downloadEnvironment() {
  const env = { ...process.env };
  if (!isWritable(homedir())) {
    const cache = join(tmpdir(), `streamer-packages-${process.getuid?.() ?? 0}`);
    mkdirSync(cache, { recursive: true, mode: 0o700 });
    env["npm_config_cache"] = join(cache, "npm");
    env["BUN_INSTALL_CACHE_DIR"] = join(cache, "bun");
  }
  // Bun does not read the configuration of npm, so it gets the registry of npm from the environment.
  const registry = spawnSync("npm", ["config", "get", "registry"], { cwd: root, encoding: "utf8", env });
  if (registry.status === 0 && registry.stdout.trim() !== "") env["NPM_CONFIG_REGISTRY"] = registry.stdout.trim();
  return env;
}

/** @param {string} folder */
function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
