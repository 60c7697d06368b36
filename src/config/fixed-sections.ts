/** Sections that the supervisor of several processes itself uses, and keeps until it is started again. */
export const FIXED_SECTIONS = ["server", "auth", "log"] as const;
