import type { Descriptor } from "../image/descriptor.ts";
import { isDigest } from "../image/digest.ts";
import { NOTATION_SIGNATURE, OCI_ARTIFACT, OCI_EMPTY, OCI_MANIFEST } from "../image/media-type.ts";
import { isObject, JsonProblem, parseStrictJson } from "../lib/strict-json.ts";
import { rejected, type Rejected } from "../verdict/verdict.ts";
import { ENVELOPE_TYPES } from "./envelope.ts";
import type { EnvelopeType } from "./evidence.ts";

/** Manifests that can hold a signature, and the member that lists the envelope. */
const BLOB_MEMBERS = new Map([
  [OCI_MANIFEST, "layers"],
  [OCI_ARTIFACT, "blobs"],
]);

/** What a signature manifest says. */
export interface SignatureManifest {
  readonly envelope: Descriptor & { readonly mediaType: EnvelopeType };
  /** The manifest that it refers to. */
  readonly subject: Descriptor;
}

/** Whether a referrer of this media type can be a signature manifest. */
export const isSignatureType = (mediaType: string): boolean => BLOB_MEMBERS.has(mediaType);

/**
 * Reads a signature manifest as strictly as the specification has it: one envelope of a known type, one
 * subject, nothing that another reader could take for another kind of manifest.
 * @param mediaType of the descriptor under which the bytes were fetched
 * @returns rejected `MALFORMED_SIGNATURE` otherwise; never throws
 * @see Notary Project signature specification, "Storage"; OCI Image Specification 1.1, "Image Manifest"
 */
export function readManifest(mediaType: string, bytes: Uint8Array): SignatureManifest | Rejected {
  const member = BLOB_MEMBERS.get(mediaType);
  if (member === undefined) return malformed("is of an unknown type");
  const manifest = parseStrictJson(bytes);
  if (manifest instanceof JsonProblem) return malformed(`is unclear: ${manifest.problem}`);
  if (!isObject(manifest)) return malformed("is not an object");
  if (manifest["mediaType"] !== undefined && manifest["mediaType"] !== mediaType) {
    return malformed("calls itself another type than the registry does");
  }
  // Members of the other kinds of manifest: an index, a Docker schema 1 image, the other of the two.
  const other = ["manifests", "fsLayers", "layers", "blobs"].filter((name) => name !== member);
  if (other.some((name) => manifest[name] !== undefined)) {
    return malformed("has members of two kinds of manifest");
  }
  if (!isSignature(manifest, member)) return malformed("is not that of a Notation signature");
  const envelopes = manifest[member];
  if (!Array.isArray(envelopes) || envelopes.length !== 1) {
    return malformed("does not list exactly one envelope");
  }
  const envelope = readDescriptor(envelopes[0]);
  const type = envelope && ENVELOPE_TYPES.get(envelope.mediaType);
  if (envelope === undefined || type === undefined) {
    return malformed("lists an envelope of an unknown type, or not by SHA-256");
  }
  const subject = readDescriptor(manifest["subject"]);
  if (subject === undefined) return malformed("does not say what was signed");
  return { envelope: { ...envelope, mediaType: type }, subject };
}

/** By the configuration's type, or by the artifact type beside an empty configuration; never by two that differ. */
function isSignature(manifest: Readonly<Record<string, unknown>>, member: string): boolean {
  const { artifactType, config } = manifest;
  if (member === "blobs") return artifactType === NOTATION_SIGNATURE;
  if (!isObject(config) || manifest["schemaVersion"] !== 2) return false;
  if (config["mediaType"] === OCI_EMPTY) return artifactType === NOTATION_SIGNATURE;
  if (artifactType !== undefined && artifactType !== NOTATION_SIGNATURE) return false;
  return config["mediaType"] === NOTATION_SIGNATURE;
}

function readDescriptor(value: unknown): Descriptor | undefined {
  if (!isObject(value)) return undefined;
  const { mediaType, digest, size } = value;
  if (typeof mediaType !== "string" || typeof digest !== "string" || !isDigest(digest)) {
    return undefined;
  }
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 1) return undefined;
  return { mediaType, digest, size };
}

const malformed = (what: string): Rejected =>
  rejected("MALFORMED_SIGNATURE", `the signature manifest ${what}`);
