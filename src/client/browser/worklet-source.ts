/**
 * The text of `recorder.ts` as a script. The package has it here (scripts/client-package.ts); without it, pages give its
 * address.
 */
export const WORKLET_SOURCE: string | undefined = undefined;
