import { write } from "../script.mjs";

const RENEW = { needs: ["renew"] };
const ONE = { has_one_of: ["token", "ticket"] };

export const topic = "The token's end";
export const cases = [
  write("hands in another one", "The connection goes on, and so does the session.", RENEW, (c) => {
    c.begins().server("expiring", { left_ms: 60_000 }).client("renew", {}, ONE).server("renewed", { left_ms: 3_600_000 });
    c.told([{ t: "renewed", d: { left_ms: 3_600_000 } }], ["error", "closed"]);
    c.delta({}).right().quiet(70_000);
  }),
  write("does so each time", "`expiring` comes again in time.", RENEW, (c) => {
    c.begins();
    for (let turn = 0; turn < 3; turn += 1) {
      c.wait(1_000).server("expiring", { left_ms: 60_000 }).client("renew", {}, ONE).server("renewed", { left_ms: 120_000 });
    }
    c.right();
  }),
  write(
    "is not taken",
    "What is refused leaves the connection as it was, until it ends with 4419; then the client comes back with new credentials.",
    RENEW,
    (c) => {
      c.begins().wait(10_000).server("expiring", { left_ms: 5_000 }).client("renew", {}, ONE);
      c.server("error", { reason: "unauthorized", message: "A valid bearer token or ticket is needed." });
      c.told([{ t: "error", d: { reason: "unauthorized" } }], ["closed", "renewed"]).delta({}).right();
      c.closes(4419).resumes(0, 2_000).right();
    },
  ),
  write("is to come later", "With `retry_ms` it is handed in again.", RENEW, (c) => {
    c.begins().server("expiring", { left_ms: 60_000 }).client("renew", {}, ONE);
    c.server("error", { reason: "too_many_requests", message: "Another one is being checked.", retry_ms: 800 });
    c.client("renew", {}, { ...ONE, within: [800, 5_000] }).server("renewed", { left_ms: 3_600_000 });
    c.right().told([{ t: "renewed" }], ["closed"]);
  }),
];
