// The IAM policies of docs/aws.md allow what the code calls, and nothing else: the service runs against an AWS that notes each call.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { startEcrRegistry, type EcrRegistry } from "../testing/aws/ecr-registry.ts";
import { createEcrDouble } from "../testing/aws/ecr.ts";
import { createSigningAuthority, profileArn } from "../testing/aws/envelopes.ts";
import { createPodIdentity } from "../testing/aws/pod-identity.ts";
import { createSigner } from "../testing/aws/signer.ts";
import { createSts } from "../testing/aws/sts.ts";
import { startAws, type Aws } from "../testing/aws/wire.ts";
import { startProvider } from "../testing/provider/start.ts";
import { startOlareg } from "../testing/registry/olareg.ts";
import { attachSignature, pushImage } from "../testing/registry/push.ts";
import { JWS } from "../testing/signing/envelope.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";

const PAGE = new URL("../docs/aws.md", import.meta.url);
const ROLE = "arn:aws:iam::444455556666:role/read-images";
const HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const OTHER = "444455556666.dkr.ecr.eu-west-1.amazonaws.com";

interface Statement {
  readonly Action: string | readonly string[];
  readonly Resource?: string;
}

/** Statements of the policies under a heading, those apart that say who may be the role. */
async function statementsUnder(heading: string): Promise<readonly Statement[]> {
  const page = await readFile(PAGE, "utf8");
  const [, section = ""] = page.split(`${heading}\n`);
  const [text = ""] = section.split(/^#/m);
  const blocks = Array.from(text.matchAll(/^```json\n(.*?)^```/gms), ([, block = ""]) => block);
  assert.ok(blocks.length > 0, heading);
  return blocks.flatMap(
    (block) => (JSON.parse(block) as { readonly Statement: readonly Statement[] }).Statement,
  );
}

const actionsOf = (statements: readonly Statement[]): readonly string[] =>
  statements.flatMap(({ Action }) => Action).toSorted();

/** What IAM calls an operation; undefined for one that needs no permission of the role itself. */
const ACTIONS: ReadonlyMap<string, string | undefined> = new Map([
  // Who lists archived signatures needs the right to read images.
  ["ecr:ListImageReferrers", "ecr:BatchGetImage"],
  // The trust policy of the role allows it.
  ["sts:AssumeRoleWithWebIdentity", undefined],
  ["eks-auth:GetCredentials", undefined],
]);

/** What IAM calls a request to a registry. @see Amazon ECR User Guide, "Service quotas" */
const actionOf = (line: string): string =>
  line.includes("/blobs/") ? "ecr:GetDownloadUrlForLayer" : "ecr:BatchGetImage";

/** Every action that was called. */
function called(aws: Aws, registries: readonly EcrRegistry[]): readonly string[] {
  const asked = aws.requests.map(({ service, operation }) => {
    const name = `${service}:${operation}`;
    return ACTIONS.has(name) ? ACTIONS.get(name) : name;
  });
  const read = registries.flatMap(({ requests }) => requests.map(({ line }) => actionOf(line)));
  const actions = new Set([...asked, ...read].filter((action) => action !== undefined));
  return [...actions].toSorted();
}

async function setUp(t: TestContext) {
  const directory = await mkdtemp(join(tmpdir(), "permissions-"));
  t.after(async () => await rm(directory, { recursive: true, force: true }));
  const parts = new AsyncDisposableStack();
  t.after(async () => await parts.disposeAsync());
  const [ecr, sts, signer, agent] = [
    createEcrDouble(),
    createSts(),
    createSigner(),
    createPodIdentity(),
  ];
  sts.trust(ROLE);
  const services = [ecr, sts, signer, agent].map(({ service }) => service);
  const aws = parts.use(await startAws({ services }));
  const upstream = parts.use(await startOlareg());
  const own = parts.use(await startEcrRegistry({ ecr, upstream, host: HOST }));
  const other = parts.use(await startEcrRegistry({ ecr, upstream, host: OTHER }));
  const authority = await createSigningAuthority();
  const trust = join(directory, "trust");
  writeTrust(trust, {
    statements: [
      statement({ trustStores: ["signingAuthority:aws"], trustedIdentities: [profileArn()] }),
    ],
    stores: { "signingAuthority:aws": [authority.root] },
  });
  const token = join(directory, "token");
  await writeFile(token, "web-identity-token");

  const start = async (
    registries: readonly EcrRegistry[],
    settings: {
      readonly aws?: Readonly<Record<string, unknown>>;
      readonly environment: Readonly<Record<string, string>>;
    },
  ) =>
    parts.use(
      await startProvider({
        trust,
        registries: registries.map(({ ecrHost, url, blobHost }) => ({
          host: ecrHost,
          endpoint: url,
          plainHttp: true,
          allowedAddresses: ["127.0.0.0/8"],
          blobHosts: [blobHost],
          credentials: { aws: true },
        })),
        overrides: {
          server: { drainDelay: "0ms", deadline: "25s" },
          verification: { deadline: "30s" },
          aws: {
            accounts: registries.map(({ ecrHost }) => ecrHost.slice(0, 12)),
            endpoints: ["ecr", "sts", "signer"].map((service) => ({ service, url: aws.url })),
            ...settings.aws,
          },
        },
        environment: settings.environment,
      }),
    );
  /** @returns a key, of an image that is signed or is not */
  const push = async (host: string, repository: string, isSigned: boolean): Promise<string> => {
    const place = { registry: upstream, repository };
    const subject = await pushImage({ ...place, tag: "v1", content: repository });
    if (isSigned) {
      const { bytes } = authority.sign({ subject });
      await attachSignature({ ...place, subject, mediaType: JWS, envelope: bytes });
    }
    return `${host}/${repository}@${subject.digest}`;
  };
  const identities = {
    IRSA: {
      AWS_ROLE_ARN: "arn:aws:iam::111122223333:role/provider",
      AWS_WEB_IDENTITY_TOKEN_FILE: token,
    },
    "Pod Identity": {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${aws.url}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: token,
    },
  };
  agent.state.token = "web-identity-token";
  return { aws, ecr, own, other, start, push, identities };
}

for (const identity of ["IRSA", "Pod Identity"] as const) {
  test(`a signed image is verified by ${identity} with the least policy, of which every action is used`, async (t) => {
    const { aws, own, start, push, identities } = await setUp(t);
    const provider = await start([own], { environment: identities[identity] });
    const key = await push(HOST, "team/app", true);
    const { response } = (await provider.caller().ask([key])).response;
    assert.equal(response.items[0]?.error, undefined, JSON.stringify(response));
    assert.equal(response.items.length, 1, JSON.stringify(response));
    assert.deepEqual(called(aws, [own]), actionsOf(await statementsUnder("#### The least")));
    // By now the registry has said how it wants to be addressed.
    const before = own.requests.length;
    await provider.caller().ask([await push(HOST, "team/next", true)]);
    const read = own.requests.slice(before).map(({ line }) => actionOf(line));
    const images = Array<string>(3).fill("ecr:BatchGetImage");
    assert.deepEqual(read.toSorted(), [...images, "ecr:GetDownloadUrlForLayer"]);
    assert.equal(aws.count("GetRevocationStatus"), 2);
    assert.equal(aws.count("GetAuthorizationToken"), 1);
  });
}

test("with signing status and a role for another account, exactly both policies are used", async (t) => {
  const { aws, ecr, own, other, start, push, identities } = await setUp(t);
  const provider = await start([own, other], {
    environment: identities.IRSA,
    aws: { roles: { "444455556666": ROLE } },
  });
  const unsigned = await push(HOST, "team/unsigned", false);
  ecr.archived("team/unsigned", unsigned.slice(unsigned.indexOf("@") + 1), 1);
  const keys = [
    unsigned,
    await push(OTHER, "team/other", true),
    await push(HOST, "team/app", true),
  ];
  const { response } = (await provider.caller().ask(keys)).response;
  assert.deepEqual(
    response.items.map(({ error }) => error?.split(":")[0]),
    ["UNSIGNED", undefined, undefined],
    JSON.stringify(response),
  );
  const least = await statementsUnder("#### The least");
  const more = await statementsUnder("#### More");
  assert.deepEqual(called(aws, [own, other]), actionsOf([...least, ...more]));
});

test("only what knows no resource is allowed on all of them, and no action by a pattern", async () => {
  const statements = [
    ...(await statementsUnder("#### The least")),
    ...(await statementsUnder("#### More")),
  ];
  const onAll = statements.filter(({ Resource }) => Resource === "*");
  assert.deepEqual(actionsOf(onAll), ["ecr:GetAuthorizationToken", "signer:GetRevocationStatus"]);
  assert.ok(!actionsOf(statements).some((action) => action.includes("*")));
});
