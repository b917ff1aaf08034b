import { isDigest, type Digest } from "./digest.ts";
import { isHost } from "./host.ts";

/** An image name, taken apart and normalised: what every reader of the same text must agree on. */
export interface Reference {
  /** `host[:port]`, lower case, `docker.io` when the text names none. */
  readonly registry: string;
  /** Path in the registry: `library/nginx`. */
  readonly repository: string;
  /** `latest` when the text has neither a tag nor a digest; absent when it has only a digest. */
  readonly tag?: string;
  /** Wins over a tag beside it, as it does for every container runtime. */
  readonly digest?: Digest;
}

// The productions of a reference, from the grammar at the head of the Go module github.com/distribution/reference,
// and its normalisation of the names that Docker made familiar. Each pattern is anchored, and no two ways through it
// match the same text, so that it takes time in proportion to a text whose length is checked before.

/** `path-component`: lower-case letters and digits, joined by one `.`, one or two `_`, or any number of `-`. */
const PATH_COMPONENT = "[a-z0-9]+(?:(?:\\.|__?|-+)[a-z0-9]+)*";

/** `remote-name`: components joined by slashes. */
const REMOTE_NAME = `${PATH_COMPONENT}(?:/${PATH_COMPONENT})*`;

/** `tag`: 1 to 128 letters, digits and `_`, and `.` and `-` after the first. */
const TAG = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}";

/** `digest`, of the one algorithm that signatures are looked up by. */
const DIGEST = "sha256:[0-9a-f]{64}";

/** `reference` without the domain: `remote-name [":" tag] ["@" digest]`. */
const REMAINDER = new RegExp(
  `^(?<repository>${REMOTE_NAME})(?::(?<tag>${TAG}))?(?:@(?<digest>${DIGEST}))?$`,
);

/** `identifier`: 64 hexadecimal digits are an image's ID to Docker, and no name. */
const IDENTIFIER = /^[0-9a-f]{64}$/;

/**
 * A digest alone is a familiar name with a tag to the grammar, and the ID of an image on the node to containerd, which
 * would run that image without asking any registry.
 */
const DIGEST_ALONE = /^(?:sha256|sha384|sha512|blake3):[0-9a-f]{64,}$/;

/** Longest `registry/repository`. @see OCI Distribution Specification 1.1, "Pulling manifests", on lengths */
const MAX_NAME = 255;

/** Longer than the longest reference: name, tag, digest, and what normalisation takes away. */
const MAX_LENGTH = 512;

/**
 * Takes an image name apart as container runtimes do (`nginx` is `docker.io/library/nginx:latest`), and
 * refuses names that two of them could take for two images.
 * @param text of any length and content
 * @returns undefined for everything that is not such a name
 * @see github.com/distribution/reference 0.6, `ParseNormalizedNamed`
 */
export function parseReference(text: string): Reference | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  if (IDENTIFIER.test(text) || DIGEST_ALONE.test(text)) return undefined;
  const [registry, remainder] = splitRegistry(text);
  const groups = REMAINDER.exec(remainder)?.groups;
  if (groups?.["repository"] === undefined || !isHost(registry)) return undefined;
  const repository = familiarPath(registry, groups["repository"]);
  if (registry.length + 1 + repository.length > MAX_NAME) return undefined;
  const { tag, digest } = groups;
  if (digest === undefined) return { registry, repository, tag: tag ?? "latest" };
  if (!isDigest(digest)) return undefined;
  return tag === undefined
    ? { registry, repository, digest }
    : { registry, repository, tag, digest };
}

/** The registry is the first component if it looks like an address; a name without a slash has none. */
function splitRegistry(text: string): readonly [registry: string, remainder: string] {
  const slash = text.indexOf("/");
  const first = text.slice(0, Math.max(slash, 0));
  if (slash === -1 || !looksLikeHost(first)) return ["docker.io", text];
  const remainder = text.slice(slash + 1);
  return [first === "index.docker.io" ? "docker.io" : first, remainder];
}

/** Docker's rule, but for components with capitals, which it takes for hosts: neither a host nor a path has any here. */
function looksLikeHost(component: string): boolean {
  return component === "localhost" || component.includes(".") || component.includes(":");
}

/** Docker Hub's official images are written without their namespace. */
function familiarPath(registry: string, path: string): string {
  return registry === "docker.io" && !path.includes("/") ? `library/${path}` : path;
}

/** `registry/repository`: what the scopes of a trust policy name. */
export const nameOf = ({ registry, repository }: Reference): string => `${registry}/${repository}`;

/** Canonical text, `registry/repository[:tag][@digest]`; {@link parseReference} gives the same reference back. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${nameOf(reference)}${tag}${digest}`;
}
