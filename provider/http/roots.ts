import type { X509Certificate } from "node:crypto";

/** The client CAs that are accepted now. */
export interface Roots {
  /**
   * Replaces the roots. Those that are gone stay accepted for the grace period, because the caller's side reads a
   * mounted Secret later than this one, or earlier.
   * @returns whether a root is gone that was accepted before
   */
  replace(roots: readonly X509Certificate[]): boolean;
  /** PEM of every root that is accepted now. */
  pem(): string[];
  /** Whether a root that is not on its way out signed the certificate itself. */
  signed(certificate: X509Certificate | undefined): boolean;
  /** Milliseconds until the next root's grace ends; undefined when none is on its way out. */
  nextEndMs(): number | undefined;
}

/** @param now monotonic milliseconds */
export function createRoots(graceMs: number, now: () => number): Roots {
  // By fingerprint.
  let current = new Map<string, X509Certificate>();
  const leaving = new Map<string, { readonly root: X509Certificate; readonly until: number }>();

  const expire = (): void => {
    for (const [fingerprint, { until }] of leaving) {
      if (until <= now()) leaving.delete(fingerprint);
    }
  };

  return {
    replace(roots) {
      const next = new Map(roots.map((root) => [root.fingerprint256, root]));
      let isOneGone = false;
      for (const [fingerprint, root] of current) {
        if (next.has(fingerprint)) continue;
        leaving.set(fingerprint, { root, until: now() + graceMs });
        isOneGone = true;
      }
      for (const fingerprint of next.keys()) leaving.delete(fingerprint);
      current = next;
      return isOneGone;
    },
    pem() {
      expire();
      const former = [...leaving.values()].map(({ root }) => root);
      return [...current.values(), ...former].map((root) => root.toString());
    },
    signed(certificate) {
      if (certificate === undefined) return false;
      for (const root of current.values()) {
        if (certificate.checkIssued(root) && certificate.verify(root.publicKey)) return true;
      }
      return false;
    },
    nextEndMs() {
      expire();
      const ends = [...leaving.values()].map(({ until }) => until - now());
      return ends.length === 0 ? undefined : Math.max(0, Math.min(...ends));
    },
  };
}
