import { z } from "zod";
import { duration } from "./units.ts";

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

/** A name that Kubernetes takes for a namespace (RFC 1123). */
const namespace = z.string().regex(new RegExp(`^${LABEL}$`), "is the name of a namespace");
const HOST = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`, "i");
const objectName = z
  .string()
  .max(253)
  .regex(new RegExp(`^${LABEL}(?:\\.${LABEL})*$`), "is the name of an object");

/** Certificates that the provider makes itself, in the place of files. */
export const certificatesSchema = ({ path }: { readonly path: z.ZodString }) =>
  z.strictObject({
    names: z
      .array(
        z.union([z.ipv6(), z.string().max(253).regex(HOST)], {
          error: "is a DNS name or an IP address",
        }),
      )
      .min(1)
      .max(16)
      .describe(
        "DNS names or IP addresses by which Gatekeeper calls: the hosts of the Provider objects' URLs.",
      ),
    secret: z
      .strictObject({
        namespace: namespace.describe("The provider's own namespace; Events go there as well."),
        name: objectName
          .default("notation-provider-certificates")
          .describe("The Secret that all replicas share. Who deletes it asks for another CA."),
      })
      .describe("Where the certificates are kept."),
    providers: z
      .array(objectName)
      .max(16)
      .default(["notation", "notation-digest"])
      .describe("Provider objects that get the CA as their `caBundle`."),
    clientCA: z
      .strictObject({
        namespace: namespace.default("gatekeeper-system").describe("Gatekeeper's namespace."),
        name: objectName
          .default("gatekeeper-webhook-server-cert")
          .describe("The Secret of its webhook's certificate."),
        key: z
          .string()
          .regex(/^[-._a-zA-Z0-9]{1,253}$/, "is a key of a Secret")
          .default("ca.crt")
          .describe("The one key of it that is looked at: the roots of the callers' certificates."),
      })
      .prefault({}),
    authorityLife: duration({
      least: "3h",
      most: "87600h",
      fallback: "8760h",
      meaning: "Life of the CA. Its successor comes after two thirds of it.",
    }),
    servingLife: duration({
      least: "1h",
      most: "8760h",
      fallback: "2160h",
      meaning: "Life of the serving certificate, renewed after two thirds of it.",
    }),
    kubeconfig: path
      .optional()
      .describe("A kubeconfig, outside a cluster. In a Pod its service account is used."),
  });
