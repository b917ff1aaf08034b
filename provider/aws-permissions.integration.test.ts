// The IAM policies of docs/aws.md allow what the code calls, and nothing else: the service runs against an AWS that notes each call.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { WEST, type EcrRegistry } from "../testing/aws/ecr-registry.ts";
import { setUpAws } from "../testing/aws/setting.ts";
import type { Aws } from "../testing/aws/wire.ts";

const PAGE = new URL("../docs/aws.md", import.meta.url);
const ROLE = "arn:aws:iam::444455556666:role/read-images";
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

const readFrom = ({ requests }: EcrRegistry): readonly string[] =>
  requests.map(({ line }) => actionOf(line));

/** Every action that was called. */
function called(aws: Aws, registries: readonly EcrRegistry[]): readonly string[] {
  const asked = aws.requests.map(({ service, operation }) => {
    const name = `${service}:${operation}`;
    return ACTIONS.has(name) ? ACTIONS.get(name) : name;
  });
  const actions = new Set(
    [...asked, ...registries.flatMap(readFrom)].filter((action) => action !== undefined),
  );
  return [...actions].toSorted();
}

async function setUp(t: TestContext, hosts: readonly string[]) {
  const setting = await setUpAws(t, { hosts });
  const { directory, aws, sts, agent } = setting;
  sts.trust(ROLE);
  const token = join(directory, "token");
  await writeFile(token, "web-identity-token");
  agent.state.token = "web-identity-token";
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
  return { ...setting, identities };
}

for (const identity of ["IRSA", "Pod Identity"] as const) {
  test(`a signed image is verified by ${identity} with the least policy, of which every action is used`, async (t) => {
    const { aws, registries, start, push, identities } = await setUp(t, [WEST]);
    const provider = await start({ environment: identities[identity] });
    const { response } = (await provider.caller().ask([await push()])).response;
    assert.equal(response.items[0]?.error, undefined, JSON.stringify(response));
    assert.equal(response.items.length, 1, JSON.stringify(response));
    assert.deepEqual(called(aws, registries), actionsOf(await statementsUnder("#### The least")));
    // By now the registry has said how it wants to be addressed.
    const read = (): readonly string[] => registries.flatMap(readFrom);
    const before = read().length;
    await provider.caller().ask([await push()]);
    const images = Array<string>(3).fill("ecr:BatchGetImage");
    assert.deepEqual(read().slice(before).toSorted(), [...images, "ecr:GetDownloadUrlForLayer"]);
    assert.equal(aws.count("GetRevocationStatus"), 2);
    assert.equal(aws.count("GetAuthorizationToken"), 1);
  });
}

test("with signing status and a role for another account, exactly both policies are used", async (t) => {
  const { aws, ecr, registries, start, push, identities } = await setUp(t, [WEST, OTHER]);
  const provider = await start({
    environment: identities.IRSA,
    overrides: { aws: { roles: { "444455556666": ROLE } } },
  });
  const unsigned = await push({ isSigned: false });
  const [repository = "", digest = ""] = unsigned.slice(`${WEST}/`.length).split("@");
  ecr.archived(repository, digest, 1);
  const keys = [unsigned, await push({ host: OTHER }), await push()];
  const { response } = (await provider.caller().ask(keys)).response;
  assert.deepEqual(
    response.items.map(({ error }) => error?.split(":")[0]),
    ["UNSIGNED", undefined, undefined],
    JSON.stringify(response),
  );
  const least = await statementsUnder("#### The least");
  const more = await statementsUnder("#### More");
  assert.deepEqual(called(aws, registries), actionsOf([...least, ...more]));
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
