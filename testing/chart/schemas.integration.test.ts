// What the chart renders against the schemas of Kubernetes' own API and of the operators' kinds, without a cluster: of the
// oldest Kubernetes that it is for, the newest, and one between. `make .cache/schemas` writes the schemas.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { stringify } from "yaml";
import {
  chartKubernetes,
  createHelm,
  find,
  KNOWN_KIND,
  parseDocuments,
  scenarios,
  type Helm,
} from "./helm.ts";
import { validate } from "./kubeconform.ts";
import { kubernetesVersions, strict } from "./schemas.ts";

const VERSIONS = kubernetesVersions();
const SCENARIOS = await scenarios();
const OLDEST = await chartKubernetes();

suite("the chart's objects", () => {
  let helm: Helm;
  let folder: string;
  before(async () => {
    helm = await createHelm();
    folder = await mkdtemp(join(tmpdir(), "schemas-"));
  });
  after(async () => {
    await helm[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  test("the versions begin with the one that the chart asks for", () => {
    assert.equal(VERSIONS.length, 3);
    assert.ok(VERSIONS[0]?.startsWith(`${OLDEST}.`), `${VERSIONS[0]} and ${OLDEST}`);
  });

  for (const version of VERSIONS) {
    for (const { name, file } of SCENARIOS) {
      test(`of ${name} fit Kubernetes ${version}`, async () => {
        // The later of two --kube-version is the one that counts.
        const text = await helm.render([file], `--kube-version=${version}`, KNOWN_KIND);
        const { problems, looked } = await validate(version, text, folder);
        assert.deepEqual(problems, []);
        assert.equal(looked, parseDocuments(text).length);
      });
    }

    test(`are found out in Kubernetes ${version} if a member is misspelt, of the wrong type, or missing`, async () => {
      const [scenario] = SCENARIOS;
      const text = await helm.render(
        [scenario?.file ?? ""],
        `--kube-version=${version}`,
        KNOWN_KIND,
      );
      const service = find(parseDocuments(text), "Service", "notation-provider");
      const provider = find(parseDocuments(text), "Provider", "notation");
      const broken = [
        { ...service, spec: { ...(service["spec"] as object), ipFamilyPolicies: "x" } },
        { ...service, spec: { ports: [{ port: "https" }] } },
        { ...provider, spec: { ...(provider["spec"] as object), time: 2 } },
        { ...provider, spec: { ...(provider["spec"] as object), timeout: "2" } },
        { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "x" }, spec: {} },
      ];
      const documents = broken.map((object) => stringify(object)).join("---\n");
      const { problems } = await validate(version, documents, folder);
      assert.equal(problems.length, broken.length, problems.join("\n"));
    });
  }
});

for (const [what, schema, want] of [
  [
    "refuses members without a name",
    { type: "object", properties: { a: { type: "string", description: "x", default: "y" } } },
    { type: "object", properties: { a: { type: "string" } }, additionalProperties: false },
  ],
  [
    "keeps what is to be kept unknown",
    { type: "object", properties: {}, "x-kubernetes-preserve-unknown-fields": true },
    {
      type: "object",
      properties: {},
      "x-kubernetes-preserve-unknown-fields": true,
      additionalProperties: true,
    },
  ],
  [
    "leaves maps as they are",
    { type: "object", additionalProperties: { type: "string", description: "x" } },
    { type: "object", additionalProperties: { type: "string" } },
  ],
  [
    "takes a number or a text for a port",
    { type: "string", format: "int-or-string" },
    { type: ["integer", "string"] },
  ],
  [
    "keeps a reference alone",
    { $ref: "#/definitions/a", description: "x" },
    { $ref: "#/definitions/a" },
  ],
] as const) {
  test(`a strict schema ${what}`, () => assert.deepEqual(strict(schema), want));
}
