import { certificatesOf } from "../../lib/pem.ts";
import { validityOf } from "../../lib/validity.ts";

/** Milliseconds ahead of its end at which an authority is named. */
const SOON_MS = 30 * 24 * 3_600_000;

/** What is wrong with a `caBundle`, and when. */
export type BundleProblem =
  | { readonly kind: "unreadable" }
  | { readonly kind: "expired"; readonly at: Date }
  | { readonly kind: "notYet"; readonly at: Date }
  | { readonly kind: "soon"; readonly at: Date };

/**
 * Looks at the authorities of a `caBundle`. While an authority is being replaced there are two, and the one that lasts longest counts.
 * @param bundle base64 of PEM
 */
export function problemOf(bundle: string, now: Date): BundleProblem | undefined {
  const certificates = certificatesOf(Buffer.from(bundle, "base64").toString("utf8"));
  const validities = certificates.map(validityOf).filter((validity) => validity !== undefined);
  const valid = validities.filter(({ begins }) => begins <= now.getTime());
  const [next] = validities;
  if (next === undefined) return { kind: "unreadable" };
  if (valid.length === 0) return { kind: "notYet", at: new Date(next.begins) };
  const at = new Date(Math.max(...valid.map(({ ends }) => ends)));
  if (at <= now) return { kind: "expired", at };
  return at.getTime() - now.getTime() < SOON_MS ? { kind: "soon", at } : undefined;
}

/** The problem as the end of a sentence about the bundle. */
export function tell(problem: BundleProblem): string {
  switch (problem.kind) {
    case "unreadable":
      return "holds no certificate that can be read";
    case "expired":
      return `ended ${dayOf(problem.at)}`;
    case "notYet":
      return `begins ${dayOf(problem.at)}`;
    case "soon":
      return `ends ${dayOf(problem.at)}`;
  }
}

/** `2027-06-30`, in UTC. */
const dayOf = (date: Date): string => date.toISOString().slice(0, 10);
