import assert from "node:assert/strict";
import { blobHostOf, isPublicEcr, parseEcrHost } from "../../../provider/aws/ecr-host.ts";
import { partitionOf } from "../../../provider/aws/partition.ts";
import { isHost } from "../../../provider/image/host.ts";
import type { Target } from "../target.ts";

/** The domains that AWS owns and serves registries of ECR under. Written down here once more, by hand. */
const OWNED =
  /\.(?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov|on\.aws|on\.amazonwebservices\.com\.cn)$/;

/**
 * Hosts that get a token of Amazon ECR. Each is one of AWS's own, in the one spelling that it has, and made of nothing but what was
 * read of it.
 */
export const target: Target = {
  name: "ecr-host",
  title:
    "T-31 a host that gets a token of Amazon ECR is AWS's own, in the one spelling that it has",
  maxBytes: 4096,
  words: [
    "111122223333",
    ".dkr.ecr.",
    ".dkr.ecr-fips.",
    ".dkr-ecr.",
    ".dkr-ecr-fips.",
    "eu-west-1",
    "us-gov-west-1",
    "cn-north-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "eusc-de-east-1",
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".on.aws",
    ".on.amazonwebservices.com.cn",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    "public.ecr.aws",
    ".evil.example.com",
    "@",
    ":443",
    ".",
    "\u3002",
    "%2e",
    "/",
    "#",
    "?",
  ],
  check(input) {
    const text = Buffer.from(input).toString();
    if (isPublicEcr(text)) {
      assert.match(text, /^(?:public\.ecr\.aws|ecr-public\.aws\.com)$/);
      return "public";
    }
    const host = parseEcrHost(text);
    if (host === undefined) return isHost(text) ? "another host" : "no host";
    assert.ok(isHost(text));
    assert.match(text, OWNED);
    assert.equal(new URL(`https://${text}/v2/`).host, text);
    const { account, partition, region, fips, dualStack } = host;
    assert.match(account, /^\d{12}$/);
    assert.equal(partitionOf(region)?.name, partition);
    const { suffix = "", registrySuffix = "" } = partitionOf(region) ?? {};
    const service = `dkr${dualStack ? "-" : "."}ecr${fips ? "-fips" : ""}`;
    assert.equal(text, `${account}.${service}.${region}.${dualStack ? registrySuffix : suffix}`);
    assert.match(String(blobHostOf(host)), OWNED);
    return `${partition} ${fips} ${dualStack}`;
  },
};
