import { availableParallelism } from "node:os";
import { z } from "zod";
import { isHost } from "../image/host.ts";
import { LOG_LEVELS } from "../lib/log-level.ts";
import { isName, NAME_RULE } from "../lib/name.ts";
import { parseOrigin } from "../lib/origin.ts";
import { awsSchema, opensRegistries, signerSchema } from "./aws.ts";
import { certificatesSchema } from "./certificates.ts";
import { duration, optionalDuration, size } from "./units.ts";

/** Where the service writes unless the configuration says so. */
export const RUNTIME_DIRECTORY = "/run/notation-provider";

/** Milliseconds that one request to a registry may take unless the configuration says so. */
export const REQUEST_TIMEOUT_MS = 5000;

/**
 * When a check over several members can be made: when these are sound, whatever else is wrong. Otherwise one wrong
 * member would hide what is wrong between two others until it is mended.
 * @param depth 0 for members of an object, 1 for those of the objects in an array
 */
const areSound =
  (members: readonly string[], depth = 0) =>
  ({ issues }: { readonly issues: readonly z.core.$ZodRawIssue[] }): boolean =>
    issues.every(({ path = [], code }) => {
      const member = path[depth];
      // Of the object itself: it is none, or it has members that it should not have.
      if (member === undefined) return code === "unrecognized_keys" && path.length === depth;
      return !members.includes(String(member));
    });

/** A path: absolute, or relative to the folder of the configuration file. */
const path = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes("\0"), "holds no NUL character");

/** What stands behind the last colon of an address; NaN when that is no number. */
const portOf = (text: string): number => Number(text.slice(text.lastIndexOf(":") + 1));

/** `host:port` to listen on; port 0 takes any that is free. */
const address = z
  .string()
  .regex(/^(?:\[[0-9a-f:.]+\]|[0-9A-Za-z.-]{1,253}):\d{1,5}$/, {
    error: "is host:port, such as 0.0.0.0:8443",
  })
  .refine((text) => !(portOf(text) > 65_535), "has a port up to 65535");

function count(least: number, most: number) {
  const error = `is a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

/** `host[:port]` in the one spelling that images have after normalisation. */
const host = z
  .string()
  .refine(isHost, "is host[:port] in lower case, as normalised image names have it");

/** Where a registry answers: its origin. */
const endpoint = z.string().transform((text, context) => {
  const origin = parseOrigin(text)?.origin;
  if (origin !== undefined) return origin;
  context.addIssue("is https://host[:port], with nothing before or behind the host");
  return z.NEVER;
});

const name = z.string().refine(isName, `is a name: ${NAME_RULE}`);

const tls = z.strictObject({
  certificate: path.describe(
    "Serving certificate, PEM, its intermediates behind it. Read again when it changes.",
  ),
  key: path.describe("Its private key, PEM."),
  clientCA: path.describe(
    "Roots of the callers' certificates, PEM: `ca.crt` of Gatekeeper's Secret.",
  ),
});

const server = z.strictObject({
  address: address.default("0.0.0.0:8443").describe("Where Gatekeeper calls."),
  tls: tls.optional(),
  clientNames: z
    .array(z.string().min(1).max(253))
    .min(1)
    .max(32)
    .default(["gatekeeper-webhook-service.gatekeeper-system.svc"])
    .describe("DNS names, one of which a caller's certificate must bear."),
  deadline: duration({
    least: "100ms",
    most: "30s",
    fallback: "1.8s",
    meaning: "From the arrival of a request to its answer. Below the Provider object's `timeout`.",
  }),
  maxBody: size({
    least: "1KiB",
    most: "16MiB",
    fallback: "1MiB",
    meaning: "Bytes of a request's body.",
  }),
  maxKeys: count(1, 10_000).default(1000).describe("Keys of one request."),
  maxConnections: count(1, 100_000).default(512).describe("Connections at once."),
  drainDelay: duration({
    least: "0ms",
    most: "60s",
    fallback: "5s",
    meaning: "After SIGTERM: how long it goes on answering, until no endpoint leads here any more.",
  }),
  drainTimeout: duration({
    least: "100ms",
    most: "60s",
    fallback: "10s",
    meaning: "Then: how long requests under way may take.",
  }),
});

const admin = z.strictObject({
  address: address
    .default("0.0.0.0:8080")
    .describe("Plain HTTP for `/livez`, `/readyz` and `/metrics`."),
});

const trust = z.strictObject({
  directory: path.describe("Trust policies and stores in Notation's own layout."),
  rereadEvery: duration({
    least: "100ms",
    most: "1h",
    fallback: "30s",
    meaning: "Time between two readings, besides watching the files.",
  }),
  allowWeak: z
    .array(name)
    .max(1000)
    .default([])
    .describe("Policies that may be weaker than strict without a warning."),
});

/** What Notation may hand to plugins; a switch that makes one log requests would log credentials. */
const pluginConfig = z
  .record(z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/, "is a name"), z.string().max(1024))
  .refine(
    (members) => Object.keys(members).every((member) => !/debug|trace|verbose/i.test(member)),
    "switches on debugging of a plugin, which logs what it sends",
  );

const notation = z
  .strictObject({
    binary: path.describe("The Notation CLI, 1.3.2 or newer."),
    pluginDirectory: path
      .optional()
      .describe("Holds `plugins/<name>/notation-<name>`; Notation's own library directory."),
    plugins: z
      .array(name)
      .max(32)
      .default(["com.amazonaws.signer.notation.plugin"])
      .describe(
        "Verification plugins that a signature may demand; any other is refused before anything is started.",
      ),
    pluginConfig: pluginConfig.default({}).describe("Handed to the plugins, name and value."),
    concurrency: count(1, 256)
      .default(2 * availableParallelism())
      .meta({ description: "Notation runs at once.", defaultText: "twice the processors" }),
    maxWaiting: count(1, 100_000)
      .default(2000)
      .describe("Runs that may wait; of one more the least urgent is `OVERLOADED`."),
    grace: duration({
      least: "1ms",
      most: "10s",
      fallback: "300ms",
      meaning: "Between SIGINT and SIGKILL for a run that must end.",
    }),
  })
  .superRefine(
    ({ plugins, pluginDirectory, pluginConfig: handed }, context) => {
      const isUnused = plugins.length === 0;
      if (isUnused && pluginDirectory !== undefined) {
        const message = "has no effect while plugins is empty";
        context.addIssue({ code: "custom", path: ["pluginDirectory"], message });
      }
      if (Object.keys(handed).length > 0 && (isUnused || pluginDirectory === undefined)) {
        const message = "has no effect without plugins and a pluginDirectory that holds them";
        context.addIssue({ code: "custom", path: ["pluginConfig"], message });
      }
    },
    { when: areSound(["plugins", "pluginDirectory", "pluginConfig"]) },
  );

const verification = z.strictObject({
  deadline: duration({
    least: "200ms",
    most: "5m",
    fallback: "10s",
    meaning:
      "Of one verification. Longer than a request's: a caller who gives up does not stop it, and its result answers the retry.",
  }),
  concurrency: count(1, 1000)
    .default(32)
    .describe(
      "Images of one registry that are verified at once; the others wait their turn. Well above `notation.concurrency`: what nobody waits for any more keeps its place until there is a run for it.",
    ),
  maxSignatures: count(1, 100).default(10).describe("Signatures of one image that are looked at."),
  maxEnvelope: size({
    least: "1KiB",
    most: "32MiB",
    fallback: "1MiB",
    meaning: "Bytes of one signature envelope.",
  }),
  maxWaiting: count(1, 100_000)
    .default(2000)
    .describe("Keys that may wait over all requests; one more is `OVERLOADED`."),
});

const cache = z.strictObject({
  verified: duration({
    least: "1s",
    most: "24h",
    fallback: "5m",
    meaning: "Life of a positive verdict; part of the revocation window.",
  }),
  rejected: duration({
    least: "1s",
    most: "1h",
    fallback: "30s",
    meaning: "Life of a rejection: how long a new signature may go unseen.",
  }),
  tags: duration({
    least: "100ms",
    most: "5m",
    fallback: "5s",
    meaning: "How long a moved tag may go unseen.",
  }),
  maxVerdicts: count(1, 10_000_000)
    .default(20_000)
    .describe(
      "Verdicts kept. To go through all of them, once in their life, takes 16 ms, and half a second of a million.",
    ),
  maxVerdictBytes: size({
    least: "64KiB",
    most: "16GiB",
    fallback: "64MiB",
    meaning: "Bytes of the verdicts kept.",
  }),
  maxTags: count(1, 10_000_000).default(20_000).describe("Tags kept."),
  maxEvidence: size({
    least: "64KiB",
    most: "16GiB",
    fallback: "64MiB",
    meaning: "Bytes of subjects, signature manifests and envelopes kept.",
  }),
});

const credentials = z.union(
  [
    z.strictObject({ anonymous: z.literal(true) }),
    z.strictObject({ usernameFile: path, passwordFile: path }),
    z.strictObject({ dockerConfig: path }),
    z.strictObject({ aws: z.literal(true) }),
  ],
  { error: "is {anonymous: true}, {usernameFile, passwordFile}, {dockerConfig} or {aws: true}" },
);

const addresses = z
  .array(z.union([z.cidrv4(), z.cidrv6()], { error: "is a CIDR, such as 10.0.0.0/8" }))
  .max(64);

const registry = z
  .strictObject({
    host: host
      .refine(
        (text) => text !== "index.docker.io",
        "is docker.io, as normalised image names have it",
      )
      .describe("`host[:port]`, as normalised image names have it; Docker Hub is `docker.io`."),
    endpoint: endpoint.optional().describe("Where it answers, when that is not `https://<host>`."),
    plainHttp: z.boolean().default(false).describe("Plain HTTP. For tests and nothing else."),
    ca: path
      .optional()
      .describe(
        "Roots of the registry's certificate, PEM; the public ones are then not trusted for it.",
      ),
    credentials: credentials
      .default({ anonymous: true })
      .describe(
        "`{anonymous: true}`, `{usernameFile, passwordFile}`, `{dockerConfig}`, or `{aws: true}` for Amazon ECR; files are read again when they change.",
      ),
    tokenHosts: z
      .array(host)
      .max(32)
      .default([])
      .describe("Further hosts that may issue Bearer tokens, and so see the credentials."),
    blobHosts: z
      .array(host)
      .max(32)
      .default([])
      .describe("Hosts that blobs may be redirected to. They see no credentials."),
    allowedAddresses: addresses
      .default([])
      .describe(
        "CIDRs of private, loopback or shared addresses that the registry may have; refused unless named.",
      ),
    concurrency: count(1, 16).default(16).describe("Requests at once."),
    maxWaiting: count(1, 100_000)
      .default(1000)
      .describe("Requests that may wait; one more is `OVERLOADED`."),
    requestTimeout: optionalDuration({
      least: "10ms",
      most: "60s",
      fallback: `${REQUEST_TIMEOUT_MS / 1000}s`,
      meaning: "Of one request, from its first byte to its answer's last.",
    }),
  })
  .refine(({ plainHttp, ca }) => !plainHttp || ca === undefined, {
    path: ["ca"],
    message: "has no effect with plainHttp",
    when: areSound(["plainHttp", "ca"]),
  })
  .refine(
    ({ endpoint, plainHttp }) =>
      endpoint === undefined || endpoint.startsWith("http://") === plainHttp,
    {
      path: ["endpoint"],
      message: "is https://, or http:// together with plainHttp: true",
      when: areSound(["endpoint", "plainHttp"]),
    },
  );

const registries = z
  .array(registry)
  .max(1000)
  .default([])
  .superRefine(
    (entries, context) => {
      const seen = new Set<string>();
      for (const [index, entry] of entries.entries()) {
        if (seen.has(entry.host)) {
          context.addIssue({ code: "custom", path: [index, "host"], message: "stands twice" });
        }
        seen.add(entry.host);
      }
    },
    { when: areSound(["host"], 1) },
  );

/** The whole configuration file. Its output is the only `Config`; unknown members are errors at every level. */
export const schema = z
  .strictObject({
    server: server.prefault({}),
    certificates: certificatesSchema({ path }).optional(),
    admin: admin.prefault({}),
    trust,
    notation,
    runtimeDirectory: path
      .default(RUNTIME_DIRECTORY)
      .describe(
        "On a memory file system. Layouts, trust snapshots and Notation's CRL cache go below it.",
      ),
    verification: verification.prefault({}),
    cache: cache.prefault({}),
    registries: registries.describe(
      "Registries that may be asked; any other is refused. At least one, unless `aws` names accounts and regions.",
    ),
    aws: awsSchema({ path, endpoint, addresses }).prefault({}),
    signer: signerSchema({ path }).prefault({}),
    mutation: z
      .strictObject({
        keepTag: z
          .boolean()
          .default(true)
          .describe("Keeps the tag beside the digest, for readers."),
      })
      .prefault({}),
    log: z
      .strictObject({
        level: z.enum(LOG_LEVELS).default("info").describe("Decisions are written at `info`."),
      })
      .prefault({}),
  })
  .superRefine(
    ({ server: { tls: files }, certificates: own }, context) => {
      if ((files === undefined) !== (own === undefined)) return;
      const message =
        files === undefined
          ? "must be given, or certificates in its place"
          : "has no effect beside certificates, which the provider makes itself";
      context.addIssue({ code: "custom", path: ["server", "tls"], message });
    },
    { when: areSound(["server", "certificates"]) },
  )
  .refine(
    ({ certificates: own }) => own === undefined || own.authorityLife >= 3 * own.servingLife,
    {
      path: ["certificates", "servingLife"],
      message: "is a third of certificates.authorityLife at the most",
      when: areSound(["certificates"]),
    },
  )
  .refine(({ server: { deadline }, verification: work }) => work.deadline > deadline, {
    path: ["verification", "deadline"],
    message: "is longer than server.deadline, so that a late result answers the retry",
    when: areSound(["server", "verification"]),
  })
  .refine(
    ({ server: { address: own }, admin: { address: other } }) =>
      // Port 0 is another one for each.
      own !== other || portOf(own) === 0,
    {
      path: ["admin", "address"],
      message: "is the address of server.address",
      when: areSound(["server", "admin"]),
    },
  )
  .refine(({ registries: entries, aws }) => entries.length > 0 || opensRegistries(aws), {
    path: ["registries"],
    message:
      "names no registry, and aws does not name accounts and regions whose registries could be asked",
    when: areSound(["registries", "aws"]),
  })
  .superRefine(
    ({ verification: { deadline }, registries: entries }, context) => {
      for (const [index, { requestTimeout }] of entries.entries()) {
        // The default is cut short without a word; what somebody wrote down should have an effect.
        if (requestTimeout === undefined || requestTimeout <= deadline) continue;
        context.addIssue({
          code: "custom",
          path: ["registries", index, "requestTimeout"],
          message: "has no effect beyond verification.deadline, which ends every request",
        });
      }
    },
    { when: areSound(["verification", "registries"]) },
  );

export type Config = z.output<typeof schema>;
export type RegistryConfig = Config["registries"][number];

/** A registry of Amazon ECR that has no entry of its own, as one with nothing but a host would be. */
export const withoutEntry = (host: string, { aws }: Pick<Config, "aws">): RegistryConfig => ({
  ...registry.parse({ host, credentials: { aws: true } }),
  allowedAddresses: aws.allowedAddresses,
});
