import type { Config } from "../config/schema.ts";
import { lint } from "../trust/lint.ts";
import { error, ok, warning } from "./finding.ts";
import type { Trial } from "./trial.ts";

/** The trust directory: every problem of its policies and stores. */
export function trustTrials({ trust }: Config): readonly Trial[] {
  return [
    {
      subject: "trust.directory",
      async run() {
        const problems = await lint(trust.directory, trust.allowWeak);
        if (problems.length === 0) {
          return [ok("trust.directory", "policies and trust stores have no problems")];
        }
        return problems.map(({ severity, path, message }) =>
          (severity === "error" ? error : warning)(`trust ${path}`, message),
        );
      },
    },
  ];
}
