import type { Check } from "./check.ts";
import { access } from "./checks/access.ts";
import { clock } from "./checks/clock.ts";
import { configuration } from "./checks/configuration.ts";
import { container } from "./checks/container.ts";
import { descriptors } from "./checks/descriptors.ts";
import { exposure } from "./checks/exposure.ts";
import { memory } from "./checks/memory.ts";
import { models } from "./checks/models.ts";
import { nativeLibrary } from "./checks/native-library.ts";
import { ports } from "./checks/ports.ts";
import { processors } from "./checks/processors.ts";
import { programs } from "./checks/programs.ts";
import { system } from "./checks/system.ts";
import { telemetry } from "./checks/telemetry.ts";
import { tls } from "./checks/tls.ts";

/** All checks in the order of the report: what others need first, what takes long last. */
export const CHECKS: readonly Check[] = [
  configuration,
  system,
  container,
  processors,
  memory,
  descriptors,
  nativeLibrary,
  ports,
  tls,
  access,
  exposure,
  telemetry,
  clock,
  programs,
  models,
];
