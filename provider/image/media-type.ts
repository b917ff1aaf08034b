// Media types of what registries hold. @see OCI Image Specification 1.1, Docker Image Manifest V2 Schema 2

export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
/** Withdrawn before OCI 1.1 was final; some registries still hold signatures under it. */
export const OCI_ARTIFACT = "application/vnd.oci.artifact.manifest.v1+json";
export const OCI_EMPTY = "application/vnd.oci.empty.v1+json";
export const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
/** What marks a manifest as a Notation signature. @see Notary Project signature specification, "Storage" */
export const NOTATION_SIGNATURE = "application/vnd.cncf.notary.signature";
