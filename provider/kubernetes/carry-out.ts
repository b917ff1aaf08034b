import type { Validity } from "../lib/validity.ts";
import { issueAuthority, issueServing } from "./issue.ts";
import type { Write } from "./plan.ts";
import type { State } from "./state.ts";

/** How long certificates live, and for how long two CAs are trusted; milliseconds. */
export interface Lives {
  readonly authorityMs: number;
  readonly servingMs: number;
  /** How much earlier than now a certificate begins, for clocks that are behind. */
  readonly backdateMs: number;
  /** For how long a CA stays trusted after the next took over: until every replica has seen it. */
  readonly overlapMs: number;
}

/** Makes the state that a change leads to. The state that it came from is untouched. */
export async function carryOut(
  write: Write,
  now: number,
  names: readonly string[],
  lives: Lives,
): Promise<State> {
  const from = (lifeMs: number): Validity => ({
    begins: now - lives.backdateMs,
    ends: now + lifeMs,
  });
  const formerOf = (certificate: string) => ({ certificate, until: now + lives.overlapMs });
  const newAuthority = async () => await issueAuthority(from(lives.authorityMs));
  const servingOf = async (authority: State["authority"], all = names) =>
    await issueServing(authority, all, from(lives.servingMs));

  switch (write.kind) {
    case "begin": {
      const authority = await newAuthority();
      const state: State = { authority, serving: await servingOf(authority) };
      return write.trusted.length === 0
        ? state
        : { ...state, former: formerOf(write.trusted.join("")) };
    }
    case "restore":
      return write.state;
    case "replace":
      return { ...write.state, next: await newAuthority() };
    case "renew": {
      const { state } = write;
      return { ...state, serving: await servingOf(state.authority, write.names) };
    }
    case "announce":
      return { ...write.state, next: await newAuthority() };
    case "promote": {
      const { state, next: authority } = write;
      const former = formerOf(state.authority.certificate);
      return { authority, serving: await servingOf(authority), former };
    }
    case "retire": {
      const { former: _former, ...state } = write.state;
      return state;
    }
  }
}
