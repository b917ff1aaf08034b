import type { Candidate, Evidence } from "../../provider/evidence/evidence.ts";
import { isRefusal, type Refusal } from "../../provider/verdict/verdict.ts";

/** Evidence whose candidates were all gone through. */
export interface Gathered extends Omit<Evidence, "candidates"> {
  readonly candidates: readonly Candidate[];
}

/** Goes through all candidates, and so fetches every envelope. */
export async function gather(outcome: Evidence | Refusal): Promise<Gathered | Refusal> {
  if (isRefusal(outcome)) return outcome;
  const candidates: Candidate[] = [];
  for await (const candidate of outcome.candidates) candidates.push(candidate);
  return { ...outcome, candidates };
}
