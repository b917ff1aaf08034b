import type { Signer } from "../verdict/verdict.ts";
import { readChain } from "./envelope-certificates.ts";
import type { Claims } from "./evidence.ts";
import { EnvelopeProblem, type EnvelopeParts } from "./envelope-parts.ts";
import { readPayload } from "./envelope-payload.ts";

const CONTENT_TYPE = "application/vnd.cncf.notary.payload.v1+json";
const SCHEME = "io.cncf.notary.signingScheme";
const SIGNING_TIME = "io.cncf.notary.signingTime";
const AUTHENTIC_SIGNING_TIME = "io.cncf.notary.authenticSigningTime";
const EXPIRY = "io.cncf.notary.expiry";
const PLUGIN = "io.cncf.notary.verificationPlugin";
const PLUGIN_MIN_VERSION = "io.cncf.notary.verificationPluginMinVersion";

/** AWS Signer's plugin, and what its signatures say of the signer. */
const AWS_PLUGIN = "com.amazonaws.signer.notation.plugin";
const AWS_PROFILE_VERSION = "com.amazonaws.signer.signingProfileVersion";
const AWS_JOB = "com.amazonaws.signer.signingJob";

/** The critical attributes that Notation itself understands. */
const UNDERSTOOD = new Set([SCHEME, AUTHENTIC_SIGNING_TIME, EXPIRY, PLUGIN, PLUGIN_MIN_VERSION]);

/** Printable ASCII, bounded. What follows differs by kind of profile, and the plugin compares it whole. */
const ARN = /^arn:[\x21-\x7e]{1,512}$/;
const SEMVER = /^\d{1,9}\.\d{1,9}\.\d{1,9}(?:[-+][0-9A-Za-z.+-]{1,64})?$/;

/**
 * Applies the rules that both kinds of envelope share and collects the claims.
 * @see Notary Project signature specification, "Signed Attributes", "Signing Scheme"
 */
export function readClaims(parts: EnvelopeParts): Claims | EnvelopeProblem {
  if (parts.contentType !== CONTENT_TYPE) {
    return new EnvelopeProblem("the payload is not of the Notary Project's type");
  }
  const critical = readCritical(parts);
  if (critical instanceof EnvelopeProblem) return critical;
  const scheme = readScheme(parts.attributes.get(SCHEME));
  if (scheme instanceof EnvelopeProblem) return scheme;
  const times = readTimes(parts, scheme);
  if (times instanceof EnvelopeProblem) return times;
  const plugin = readPlugin(parts.attributes, scheme);
  if (plugin instanceof EnvelopeProblem) return plugin;
  const identity = plugin === AWS_PLUGIN ? readIdentity(parts.attributes, critical) : {};
  if (identity instanceof EnvelopeProblem) return identity;
  const chain = readChain(parts.chain);
  if (chain instanceof EnvelopeProblem) return chain;
  const payload = readPayload(parts.payload);
  if (payload instanceof EnvelopeProblem) return payload;
  return {
    signer: { scheme, subject: chain.subject, ...identity },
    ...times,
    // A signing authority's certificates have to be valid at its signing time alone.
    ...(scheme === "notary.x509" && { certificatesUntil: inSeconds(chain.until) }),
    ...(plugin === undefined ? {} : { plugin }),
    ...payload,
  };
}

/** The list of critical names: not empty, no name twice, each of an attribute that is there. */
function readCritical({ critical, attributes }: EnvelopeParts): Set<string> | EnvelopeProblem {
  if (!Array.isArray(critical) || critical.length === 0) {
    return new EnvelopeProblem("there is no list of critical attributes");
  }
  const names = new Set<string>();
  for (const name of critical) {
    if (typeof name !== "string" || names.has(name)) {
      return new EnvelopeProblem("the list of critical attributes is not a list of distinct names");
    }
    // The signing time of notary.x509 is the signer's word alone and never critical.
    if (!attributes.has(name) || name === SIGNING_TIME) {
      return new EnvelopeProblem(
        "an attribute is listed as critical and may not be or is not there",
      );
    }
    names.add(name);
  }
  for (const name of UNDERSTOOD) {
    if (attributes.has(name) && !names.has(name)) {
      return new EnvelopeProblem(`${name} is not critical`);
    }
  }
  // Only a plugin can process what Notation does not know.
  if (!attributes.has(PLUGIN) && [...names].some((name) => !UNDERSTOOD.has(name))) {
    return new EnvelopeProblem("a critical attribute is unknown and no plugin is named for it");
  }
  return names;
}

function readScheme(value: unknown): Signer["scheme"] | EnvelopeProblem {
  if (value === "notary.x509" || value === "notary.x509.signingAuthority") return value;
  return new EnvelopeProblem("the signing scheme is unknown");
}

/** Each scheme has its own signing time and refuses the other's. */
function readTimes(
  { attributes, time }: EnvelopeParts,
  scheme: Signer["scheme"],
): Pick<Claims, "signedAt" | "expiresAt"> | EnvelopeProblem {
  const authority = scheme === "notary.x509.signingAuthority";
  if (attributes.has(authority ? SIGNING_TIME : AUTHENTIC_SIGNING_TIME)) {
    return new EnvelopeProblem("the signing time is that of another scheme");
  }
  const signed = time(attributes.get(authority ? AUTHENTIC_SIGNING_TIME : SIGNING_TIME));
  if (signed === undefined) return new EnvelopeProblem("there is no valid signing time");
  if (!attributes.has(EXPIRY)) return { signedAt: inSeconds(signed) };
  const expires = time(attributes.get(EXPIRY));
  if (expires === undefined || expires <= signed) {
    return new EnvelopeProblem("the expiry is not a time after the signing time");
  }
  return { signedAt: inSeconds(signed), expiresAt: inSeconds(expires) };
}

function readPlugin(
  attributes: ReadonlyMap<string, unknown>,
  scheme: Signer["scheme"],
): string | undefined | EnvelopeProblem {
  const plugin = attributes.get(PLUGIN);
  const version = attributes.get(PLUGIN_MIN_VERSION);
  if (!attributes.has(PLUGIN)) {
    return attributes.has(PLUGIN_MIN_VERSION)
      ? new EnvelopeProblem("a plugin's version is asked for and no plugin is named")
      : undefined;
  }
  if (typeof plugin !== "string" || plugin.trim() === "") {
    return new EnvelopeProblem("the plugin's name is blank");
  }
  if (version !== undefined && (typeof version !== "string" || !SEMVER.test(version))) {
    return new EnvelopeProblem("the plugin's version is not a version");
  }
  if (plugin === AWS_PLUGIN && scheme !== "notary.x509.signingAuthority") {
    return new EnvelopeProblem(
      "AWS Signer's plugin is named under another scheme than AWS Signer's",
    );
  }
  return plugin;
}

/**
 * Who signed, in AWS Signer's words. Only where its plugin is named: it compares them with the trusted
 * identities, and anyone else could write into such attributes what he liked.
 */
function readIdentity(
  attributes: ReadonlyMap<string, unknown>,
  critical: ReadonlySet<string>,
): Pick<Signer, "identity" | "job"> | EnvelopeProblem {
  const [identity, job] = [AWS_PROFILE_VERSION, AWS_JOB].map((name) =>
    critical.has(name) ? attributes.get(name) : undefined,
  );
  if (!isArn(identity) || !isArn(job)) {
    return new EnvelopeProblem("AWS Signer's profile or job is not named as a critical ARN");
  }
  return { identity, job };
}

const isArn = (value: unknown): value is string => typeof value === "string" && ARN.test(value);

/** RFC 3339 in UTC, cut to the second. */
const inSeconds = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;
