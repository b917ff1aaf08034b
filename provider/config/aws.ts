import { z } from "zod";
import { duration } from "./units.ts";

/** What the schema of the whole file brings. */
export interface Members {
  readonly path: z.ZodString;
  readonly endpoint: z.ZodType<string, string>;
  readonly addresses: z.ZodType<string[], string[]>;
}

const account = z.string().regex(/^\d{12}$/, "is an account, twelve digits");
const accountOrAll = z.string().regex(/^(?:\*|\d{12})$/, "is an account, twelve digits, or *");
const region = z
  .string()
  .regex(/^[a-z]{2,6}(?:-[a-z]{1,16}){1,3}-[1-9]$/, "is a region of AWS, such as eu-west-1");

/** What is sent there opens every registry, so only our own machine may get it in the clear. */
const isPrivate = (url: string): boolean =>
  url.startsWith("https://") || ["127.0.0.1", "[::1]", "localhost"].includes(new URL(url).hostname);
const role = z
  .string()
  .regex(/^arn:[a-z-]+:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/, "is the ARN of a role");

/** Amazon ECR, and who the provider is to AWS. */
export const awsSchema = ({ path, endpoint, addresses }: Members) =>
  z.strictObject({
    accounts: z
      .array(accountOrAll)
      .max(1000)
      .default([])
      .describe(
        "Accounts whose registries get a token of Amazon ECR. Together with `regions` they are asked without an entry under `registries`. `*` is every account, and opens none by itself.",
      ),
    regions: z
      .array(region)
      .max(64)
      .default([])
      .describe("Regions that get a token, fetched at start. Empty: any, when it is needed."),
    allowedAddresses: addresses
      .default([])
      .describe(
        "CIDRs of private addresses that registries without an entry may have: interface endpoints of a VPC.",
      ),
    roles: z
      .record(account, role)
      .default({})
      .describe("Account to the ARN of the role to assume for its registries."),
    endpoints: z
      .array(
        z.strictObject({
          service: z.enum(["ecr", "sts", "signer"]).describe("Whose address it is."),
          region: region.optional().describe("For this region alone."),
          url: endpoint
            .refine(isPrivate, "is https://, but for an address of the machine itself")
            .describe("`https://host[:port]`."),
        }),
      )
      .max(256)
      .default([])
      .describe("Addresses in place of AWS's own: interface endpoints of a VPC."),
    ca: path
      .optional()
      .describe("Roots for the endpoints, PEM; the public ones are then not trusted."),
    fips: z.boolean().default(false).describe("AWS's FIPS endpoints."),
    dualStack: z.boolean().default(false).describe("AWS's endpoints that answer on IPv6 as well."),
    instanceMetadata: z
      .boolean()
      .default(false)
      .describe("Whether the role of the machine may be taken when there is nothing else."),
  });

/** Whether the registries of the accounts can be listed, so that they need no entry of their own. */
export const opensRegistries = (aws: {
  readonly accounts: readonly string[];
  readonly regions: readonly string[];
}): boolean => aws.accounts.length > 0 && !aws.accounts.includes("*") && aws.regions.length > 0;

/** AWS Signer: its verification plugin, and what was revoked. */
export const signerSchema = ({ path }: Pick<Members, "path">) =>
  z.strictObject({
    plugin: z
      .union([z.literal("builtin"), path])
      .default("builtin")
      .describe("`builtin`, or the path of AWS's own verification plugin."),
    launcher: path
      .default("/usr/local/bin/signer-launcher")
      .describe("The program that Notation starts for the built-in plugin."),
    timeout: duration({
      least: "10ms",
      most: "10s",
      fallback: "1s",
      meaning: "Of one question to AWS Signer.",
    }),
    revocationInterval: duration({
      least: "1s",
      most: "1h",
      fallback: "60s",
      meaning: "After which AWS Signer is asked again about what verdicts in the cache rest on.",
    }),
    revocationRate: z
      .int()
      .min(1)
      .max(1000)
      .default(5)
      .describe("Such questions in a second, equal ones asked once."),
    maxRevocationAge: duration({
      least: "1s",
      most: "24h",
      fallback: "10m",
      meaning:
        "How long an answer counts while AWS Signer cannot be asked; then the verdict is reached anew.",
    }),
  });
