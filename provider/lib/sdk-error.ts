// What AWS's SDK throws, as far as all who ask AWS read it alike.

/** Names of errors of AWS for credentials that were good once, or that it has never heard of. */
export const EXPIRED: ReadonlySet<string> = new Set([
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidClientTokenId",
  "UnrecognizedClientException",
]);

/** Names of access keys, which some of AWS's messages hold. */
const ACCESS_KEY = /\b(?:AKIA|ASIA)[0-9A-Z]{12,}\b/g;

/** Words of AWS without names of access keys. */
export const withoutAccessKeys = (text: string): string =>
  text.replaceAll(ACCESS_KEY, "(access key)");

/** The HTTP status that the SDK notes beside an error; undefined when there was no answer. */
export function httpStatusOf(error: unknown): number | undefined {
  if (!(error instanceof Error && "$metadata" in error)) return undefined;
  const metadata = error.$metadata;
  if (typeof metadata !== "object" || metadata === null) return undefined;
  if (!("httpStatusCode" in metadata)) return undefined;
  return typeof metadata.httpStatusCode === "number" ? metadata.httpStatusCode : undefined;
}
