import assert from "node:assert/strict";
import { test } from "node:test";
import { profileVersionArn } from "../../testing/aws/envelopes.ts";
import { pluginEnvironmentOf, type PluginEnvironmentOptions } from "./plugin-environment.ts";

const ALWAYS = { AWS_MAX_ATTEMPTS: "1", AWS_EC2_METADATA_DISABLED: "true" };
const plain: PluginEnvironmentOptions = {
  endpoint: () => undefined,
  fips: false,
  dualStack: false,
};

const cases: readonly {
  readonly name: string;
  readonly identity?: string;
  readonly options?: Partial<PluginEnvironmentOptions>;
  readonly want: Readonly<Record<string, string>>;
}[] = [
  {
    name: "the region of the signature's profile",
    identity: profileVersionArn({ region: "eu-west-1" }),
    want: { AWS_REGION: "eu-west-1" },
  },
  {
    name: "T-36 no region where a signature names a host for one",
    identity: "arn:aws:signer:evil.example:111122223333:/signing-profiles/app/Ver1on0001",
    want: {},
  },
  {
    name: "T-36 no region of another partition than the signature's",
    identity: profileVersionArn({ partition: "aws-cn", region: "us-east-1" }),
    want: {},
  },
  { name: "no region without a profile", want: {} },
  {
    name: "the endpoint of the region that the configuration names",
    identity: profileVersionArn({ region: "eu-west-1" }),
    options: { endpoint: (region) => `https://signer.${region}.example` },
    want: {
      AWS_REGION: "eu-west-1",
      AWS_ENDPOINT_URL_SIGNER: "https://signer.eu-west-1.example",
    },
  },
  {
    name: "which kind of endpoint is asked, and whom it has to trust",
    identity: profileVersionArn({ partition: "aws-us-gov", region: "us-gov-west-1" }),
    options: { fips: true, dualStack: true, ca: "/etc/roots.pem" },
    want: {
      AWS_REGION: "us-gov-west-1",
      AWS_USE_FIPS_ENDPOINT: "true",
      AWS_USE_DUALSTACK_ENDPOINT: "true",
      AWS_CA_BUNDLE: "/etc/roots.pem",
    },
  },
];
for (const { name, identity, options, want } of cases) {
  test(`AWS's own plugin is told ${name}`, () => {
    const signer = {
      scheme: "notary.x509.signingAuthority",
      subject: "CN=a",
      ...(identity !== undefined && { identity }),
    } as const;
    assert.deepEqual(pluginEnvironmentOf({ signer }, { ...plain, ...options }), {
      ...ALWAYS,
      ...want,
    });
  });
}
