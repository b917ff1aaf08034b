import type { X509Certificate } from "node:crypto";

/** From when to when a certificate is valid, milliseconds since the epoch. */
export interface Validity {
  readonly begins: number;
  readonly ends: number;
}

/**
 * Reads when a certificate is valid. Of a time that is none, Node's `validToDate` is now and then a date, made of memory that
 * nobody set; its text never is.
 * @returns undefined when one of its times is none, as OpenSSL reads such a certificate all the same, and Go does not
 */
export function validityOf({ validFrom, validTo }: X509Certificate): Validity | undefined {
  const [begins, ends] = [Date.parse(validFrom), Date.parse(validTo)];
  return Number.isNaN(begins) || Number.isNaN(ends) ? undefined : { begins, ends };
}
