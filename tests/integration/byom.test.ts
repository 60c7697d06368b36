import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { waveFile } from "../support/audio.ts";
import { BUILD_MS, Program } from "../support/executable.ts";
