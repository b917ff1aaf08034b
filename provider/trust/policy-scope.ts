import { nameOf, parseReference } from "../image/reference.ts";

/** A key has at most this many bytes, so a longer scope matches none. */
const MAX_LENGTH = 1024;

// The separators share no character with what stands between them, so both patterns take linear time.
const HOST = /^[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*(?:\.[a-zA-Z0-9]+(?:-+[a-zA-Z0-9]+)*)*(?::[0-9]+)?$/;
const REPOSITORY =
  /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;

/**
 * Why a registry scope other than `*` is not an exact `<registry>/<repository>`; undefined when it is one.
 * @see Notary Project trust policy specification, "Registry Scopes Constraints"; the grammar is that of
 *   notation-go `verifier/trustpolicy/oci.go`
 */
export function flawOfScope(scope: string): string | undefined {
  if (scope.length > MAX_LENGTH) return `is longer than ${MAX_LENGTH} characters: no image has it`;
  if (scope.includes("*")) {
    return 'matches nothing: Notation knows only an exact repository, or the single "*" for all';
  }
  if (scope.includes("://")) return "has a scheme: write registry/repository";
  if (scope.includes("@")) return "has a digest: write registry/repository";
  const slash = scope.indexOf("/");
  if (slash === -1) return "has no repository: write registry/repository";
  if (!HOST.test(scope.slice(0, slash))) return "does not begin with a registry host";
  const repository = scope.slice(slash + 1);
  if (REPOSITORY.test(repository)) return undefined;
  return repository.includes(":")
    ? "has a tag: write registry/repository"
    : "is not a repository of a registry: lower-case letters, digits, and single separators between them";
}

/**
 * Why no image has this well-formed scope, although Notation accepts it; undefined when one may. Images are
 * normalised before a statement is looked for, as container runtimes do it.
 */
export function whyUnmatchable(scope: string): string | undefined {
  const reference = parseReference(scope);
  if (reference === undefined) return "matches no image: it is not an image name";
  const name = nameOf(reference);
  return name === scope ? undefined : `matches no image: the same repository is named ${name}`;
}
