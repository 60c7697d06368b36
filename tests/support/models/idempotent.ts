import puppet from "./puppet.ts";

export default { ...puppet, name: "idempotent", idempotent: true };
