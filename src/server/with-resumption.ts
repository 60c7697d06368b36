import type { Keyring } from "../auth/keyring.ts";
import { Resumption } from "../stream/resume/resumption.ts";
import type { Services } from "../stream/services.ts";

/** Adds what resumes streams with the keys of the deployment, unless streams cannot be resumed. */
export function withResumption(services: Services, keyring: Keyring | undefined): Services {
  const { limits } = services.config;
  if (limits.resume_ms === 0) return services;
  if (keyring !== undefined) return { ...services, resumption: new Resumption(keyring, limits) };
  const message = `limits.resume_ms is ${limits.resume_ms}, but streams cannot be resumed without auth.secret_file`;
  services.log.warn("setting_ignored", { message });
  return services;
}
