import { availableParallelism } from "node:os";
import { z } from "zod";
import { isHost } from "../image/host.ts";
import { duration, size } from "./units.ts";

/** A path: absolute, or relative to the folder of the configuration file. */
const path = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes("\0"), "holds no NUL character");

/** `host:port` to listen on; port 0 takes any that is free. */
const address = z
  .string()
  .regex(/^(?:\[[0-9a-f:.]+\]|[0-9A-Za-z.-]{1,253}):\d{1,5}$/, {
    error: "is host:port, such as 0.0.0.0:8443",
    abort: true,
  })
  .refine(
    (text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535,
    "has a port up to 65535",
  );

const count = (least: number, most: number) => z.int().min(least).max(most);

/** `host[:port]` in the one spelling that images have after normalisation. */
const host = z
  .string()
  .refine(isHost, "is host[:port] in lower case, as normalised image names have it");

const name = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/, "is a name of letters, digits, _ . and -");

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
  tls,
  clientNames: z
    .array(z.string().min(1).max(253))
    .min(1)
    .max(32)
    .default(["gatekeeper-webhook-service.gatekeeper-system.svc"])
    .describe("DNS names, one of which a caller's certificate must bear."),
  deadline: duration("100ms", "30s", "1.8s").describe(
    "From the arrival of a request to its answer. Below the Provider object's `timeout`.",
  ),
  maxBody: size("1KiB", "16MiB", "1MiB").describe("Bytes of a request's body."),
  maxKeys: count(1, 10_000).default(1000).describe("Keys of one request."),
  maxConnections: count(1, 100_000).default(512).describe("Connections at once."),
  drainDelay: duration("0ms", "60s", "5s").describe(
    "After SIGTERM: how long it goes on answering, until no endpoint leads here any more.",
  ),
  drainTimeout: duration("100ms", "60s", "10s").describe(
    "Then: how long requests under way may take.",
  ),
});

const admin = z.strictObject({
  address: address
    .default("0.0.0.0:8080")
    .describe("Plain HTTP for `/livez`, `/readyz` and `/metrics`."),
});

const trust = z.strictObject({
  directory: path.describe("Trust policies and stores in Notation's own layout."),
  rereadEvery: duration("100ms", "1h", "30s").describe(
    "Time between two readings, besides watching the files.",
  ),
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

const notation = z.strictObject({
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
    .describe("Runs that may wait; one more is `OVERLOADED`."),
  grace: duration("1ms", "10s", "300ms").describe(
    "Between SIGINT and SIGKILL for a run that must end.",
  ),
});

const verification = z.strictObject({
  deadline: duration("200ms", "5m", "10s").describe(
    "Of one verification. Longer than a request's: a caller who gives up does not stop it, and its result answers the retry.",
  ),
  concurrency: count(1, 1000)
    .default(32)
    .describe("Images of one registry that are verified at once; the others wait their turn."),
  maxSignatures: count(1, 100).default(10).describe("Signatures of one image that are looked at."),
  maxEnvelope: size("1KiB", "32MiB", "1MiB").describe("Bytes of one signature envelope."),
  maxWaiting: count(1, 100_000)
    .default(2000)
    .describe("Keys that may wait over all requests; one more is `OVERLOADED`."),
});

const cache = z.strictObject({
  verified: duration("1s", "24h", "5m").describe(
    "Life of a positive verdict; part of the revocation window.",
  ),
  rejected: duration("1s", "1h", "30s").describe(
    "Life of a rejection: how long a new signature may go unseen.",
  ),
  tags: duration("100ms", "5m", "5s").describe("How long a moved tag may go unseen."),
  maxVerdicts: count(1, 10_000_000).default(20_000).describe("Verdicts kept."),
  maxVerdictBytes: size("64KiB", "16GiB", "64MiB").describe("Bytes of the verdicts kept."),
  maxTags: count(1, 10_000_000).default(20_000).describe("Tags kept."),
  maxEvidence: size("64KiB", "16GiB", "64MiB").describe(
    "Bytes of subjects, signature manifests and envelopes kept.",
  ),
});

const credentials = z.union([
  z.strictObject({ anonymous: z.literal(true) }),
  z.strictObject({ usernameFile: path, passwordFile: path }),
  z.strictObject({ dockerConfig: path }),
]);

const registry = z
  .strictObject({
    host: host.describe(
      "`host[:port]`, as normalised image names have it; Docker Hub is `docker.io`.",
    ),
    endpoint: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe("Where it answers, when that is not `https://<host>`."),
    plainHttp: z.boolean().default(false).describe("Plain HTTP. For tests and nothing else."),
    ca: path
      .optional()
      .describe(
        "Roots of the registry's certificate, PEM; the public ones are then not trusted for it.",
      ),
    credentials: credentials
      .default({ anonymous: true })
      .describe(
        "`{anonymous: true}`, `{usernameFile, passwordFile}` or `{dockerConfig}`; files are read again when they change.",
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
    allowedAddresses: z
      .array(z.union([z.cidrv4(), z.cidrv6()]))
      .max(64)
      .default([])
      .describe(
        "CIDRs of private, loopback or shared addresses that the registry may have; refused unless named.",
      ),
    concurrency: count(1, 16).default(16).describe("Requests at once."),
    maxWaiting: count(1, 100_000)
      .default(1000)
      .describe("Requests that may wait; one more is `OVERLOADED`."),
    requestTimeout: duration("10ms", "60s", "5s").describe(
      "Of one request, from its first byte to its answer's last.",
    ),
  })
  .refine(({ plainHttp, ca }) => !plainHttp || ca === undefined, {
    path: ["ca"],
    message: "has no effect with plainHttp",
  })
  .refine(
    ({ endpoint, plainHttp }) =>
      endpoint === undefined || endpoint.startsWith("http://") === plainHttp,
    {
      path: ["endpoint"],
      message: "is https://, or http:// together with plainHttp: true",
    },
  )
  .refine(({ endpoint }) => endpoint === undefined || new URL(endpoint).pathname === "/", {
    path: ["endpoint"],
    message: "has no path",
  });

/** The whole configuration file. Its output is the only `Config`; unknown members are errors at every level. */
export const schema = z
  .strictObject({
    server,
    admin: admin.prefault({}),
    trust,
    notation,
    runtimeDirectory: path
      .default("/run/notation-provider")
      .describe(
        "On a memory file system. Layouts, trust snapshots and Notation's CRL cache go below it.",
      ),
    verification: verification.prefault({}),
    cache: cache.prefault({}),
    registries: z
      .array(registry)
      .min(1)
      .max(1000)
      .describe("Registries that may be asked; any other is refused."),
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
        level: z
          .enum(["debug", "info", "warn", "error"])
          .default("info")
          .describe("Decisions are written at `info`."),
      })
      .prefault({}),
  })
  .superRefine(({ server: { deadline }, verification: work, registries }, context) => {
    if (work.deadline <= deadline) {
      context.addIssue({
        code: "custom",
        path: ["verification", "deadline"],
        message: "is longer than server.deadline, so that a late result answers the retry",
      });
    }
    const seen = new Set<string>();
    for (const [index, entry] of registries.entries()) {
      if (seen.has(entry.host)) {
        context.addIssue({
          code: "custom",
          path: ["registries", index, "host"],
          message: "stands twice",
        });
      }
      seen.add(entry.host);
    }
  });

export type Config = z.output<typeof schema>;
export type RegistryConfig = Config["registries"][number];
