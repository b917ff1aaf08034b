/** What somebody found out by trying, in a line. Holds no secret. */
export interface Finding {
  /** `error`: images are refused, or not verified as somebody meant. `warning`: something works that may not for long, or could not be tried. */
  readonly level: "ok" | "warning" | "error";
  /** What was tried, by the name that the configuration has for it: `registries[0] registry.example.com`. */
  readonly subject: string;
  /** What is so. */
  readonly sentence: string;
  /** What to do about it. */
  readonly remedy?: string;
}

type Make = (subject: string, sentence: string, remedy?: string) => Finding;

const maker =
  (level: Finding["level"]): Make =>
  (subject, sentence, remedy) => ({
    level,
    subject,
    sentence,
    ...(remedy !== undefined && { remedy }),
  });

/** It works. */
export const ok = maker("ok");
/** It works, and may not for long; or nobody could try it. */
export const warning = maker("warning");
/** It does not work. */
export const error = maker("error");
