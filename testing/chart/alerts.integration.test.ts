// The chart's alerts on the engine of Prometheus itself: what makes each fire, when, and what does not.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { stringify } from "yaml";
import { ROOT } from "../provider/start.ts";
import { CHART, createHelm, find, parseDocuments } from "./helm.ts";
import { run, type Ran } from "./run.ts";

interface Rule {
  readonly alert: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Values of a series, a minute apart, by its name and labels. `$J` is the chart's job. */
type Series = Readonly<Record<string, string>>;

interface Case {
  readonly alert: string;
  readonly fires: Series;
  /** Minutes until its expression holds: 0 for what is, 1 for what is counted. */
  readonly after: 0 | 1;
  /** Labels of the alert beside its severity. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The summary where it names more than the rule does. */
  readonly summary?: string;
  /** What comes near it, or looks alike, and is none. */
  readonly quiet: readonly Series[];
}

/** So many minutes at the least that everything here is over. */
const LENGTH = 60;

/** A counter that grows by this each second. */
const rate = (perSecond: number): string => `0+${perSecond * 60}x${LENGTH}`;
/** A gauge. */
const is = (value: number): string =>
  Array.from({ length: LENGTH + 1 }, () => String(value).replace("Infinity", "Inf")).join(" ");

const verifications = (outcome: string, reason = ""): string =>
  `notation_provider_verifications_total{$J,outcome="${outcome}",reason="${reason}"}`;
const answers = (le: string): string =>
  `notation_provider_request_duration_seconds_bucket{$J,route="validate",le="${le}"}`;
const aws = (service: string, operation: string, outcome: string): string =>
  `notation_provider_aws_requests_total{$J,service="${service}",operation="${operation}",region="eu-west-1",outcome="${outcome}"}`;
const registry = (outcome: string): string =>
  `notation_provider_registry_requests_total{$J,registry="registry.example.com",operation="subject",outcome="${outcome}"}`;
const DAY = 86_400;

const CASES: readonly Case[] = [
  {
    alert: "NotationProviderDown",
    fires: { 'up{$J,pod="a"}': is(0) },
    after: 0,
    quiet: [{ 'up{$J,pod="a"}': is(0), 'up{$J,pod="b"}': is(1) }],
  },
  {
    alert: "NotationProviderUndecided",
    fires: {
      [verifications("undecided", "TIMEOUT")]: rate(6),
      [verifications("verified")]: rate(94),
    },
    after: 1,
    quiet: [
      { [verifications("undecided", "TIMEOUT")]: rate(4), [verifications("verified")]: rate(96) },
      { [verifications("rejected", "UNSIGNED")]: rate(100) },
      // Nobody asks.
      { [verifications("undecided", "TIMEOUT")]: is(7), [verifications("verified")]: is(7) },
    ],
  },
  {
    alert: "NotationProviderSlow",
    fires: { [answers("1")]: rate(95), [answers("2.5")]: rate(100), [answers("+Inf")]: rate(100) },
    after: 1,
    quiet: [
      { [answers("1")]: rate(99.5), [answers("2.5")]: rate(100), [answers("+Inf")]: rate(100) },
    ],
  },
  {
    alert: "NotationProviderOverloaded",
    fires: { [verifications("undecided", "OVERLOADED")]: rate(0.1) },
    after: 1,
    quiet: [
      { [verifications("undecided", "OVERLOADED")]: is(7) },
      { [verifications("undecided", "TIMEOUT")]: rate(9) },
    ],
  },
  {
    alert: "NotationProviderTrustPolicyNotCurrent",
    fires: { 'notation_provider_trust_policy_state{$J,policy="default",state="stale"}': is(1) },
    after: 0,
    labels: { policy: "default", state: "stale" },
    summary: "Trust policy default is stale; what its file says now is not in force.",
    quiet: [
      {
        'notation_provider_trust_policy_state{$J,policy="default",state="current"}': is(1),
        'notation_provider_trust_policy_state{$J,policy="default",state="stale"}': is(0),
      },
    ],
  },
  {
    alert: "NotationProviderCertificateExpires",
    fires: { "notation_provider_serving_certificate_expiry_seconds{$J}": is(6 * DAY) },
    after: 0,
    summary: "The serving certificate ends in 6d 0h 0m 0s; then Gatekeeper refuses to call.",
    quiet: [{ "notation_provider_serving_certificate_expiry_seconds{$J}": is(8 * DAY) }],
  },
  {
    alert: "NotationProviderAuthorityExpires",
    fires: {
      'notation_provider_authority_certificate_expiry_seconds{$J,pod="a"}': is(-60),
      'notation_provider_authority_certificate_expiry_seconds{$J,pod="b"}': is(90 * DAY),
    },
    after: 0,
    summary:
      "The provider's own CA ends in -1m 0s and was not replaced; then Gatekeeper refuses to call.",
    quiet: [
      { "notation_provider_authority_certificate_expiry_seconds{$J}": is(8 * DAY) },
      // Certificates are files.
      { "notation_provider_authority_certificate_expiry_seconds{$J}": is(0) },
    ],
  },
  {
    alert: "NotationProviderHandshakesFail",
    fires: { "notation_provider_failed_handshakes_total{$J}": rate(1) },
    after: 1,
    quiet: [{ "notation_provider_failed_handshakes_total{$J}": rate(0.05) }],
  },
  {
    alert: "NotationProviderRegistryFails",
    fires: { [registry("REGISTRY_UNREACHABLE")]: rate(0.2), [registry("ok")]: rate(1) },
    after: 1,
    labels: { registry: "registry.example.com" },
    summary: "More than 10 % of the requests to registry.example.com fail.",
    quiet: [
      { [registry("REGISTRY_UNREACHABLE")]: rate(0.1), [registry("ok")]: rate(1) },
      // A fact about an image.
      { [registry("IMAGE_NOT_FOUND")]: rate(9), [registry("ok")]: rate(1) },
    ],
  },
  {
    alert: "NotationProviderNotationFails",
    fires: {
      'notation_provider_notation_judgements_total{$J,outcome="NOTATION_FAILED"}': rate(0.1),
    },
    after: 1,
    quiet: [
      { 'notation_provider_notation_judgements_total{$J,outcome="UNTRUSTED_SIGNER"}': rate(9) },
    ],
  },
  {
    alert: "NotationProviderEventLoopLags",
    fires: { "nodejs_eventloop_lag_max_seconds{$J}": is(0.6) },
    after: 0,
    quiet: [{ "nodejs_eventloop_lag_max_seconds{$J}": is(0.4) }],
  },
  {
    alert: "NotationProviderCertificatesNotKept",
    fires: { "notation_provider_certificates_age_seconds{$J}": is(Infinity) },
    after: 0,
    quiet: [
      // The longest pause between two looks.
      { "notation_provider_certificates_age_seconds{$J}": is(30) },
      { "notation_provider_certificates_age_seconds{$J}": is(0) },
    ],
  },
  {
    alert: "NotationProviderAwsDenied",
    fires: { [aws("ecr", "token", "denied")]: rate(0.1) },
    after: 1,
    labels: { service: "ecr", operation: "token", region: "eu-west-1" },
    summary: "AWS denies token of ecr eu-west-1; what needs it is refused.",
    quiet: [
      { [aws("ecr", "token", "throttled")]: rate(9) },
      // A permission that need not be granted.
      { [aws("ecr", "signingStatus", "denied")]: rate(9) },
    ],
  },
  {
    alert: "NotationProviderCredentialsFail",
    fires: { [aws("credentials", "own", "unreachable")]: rate(0.1) },
    after: 1,
    labels: { operation: "own", outcome: "unreachable" },
    summary: "The provider gets no credentials of AWS (own, unreachable).",
    quiet: [
      // They come with a later try.
      {
        [aws("credentials", "own", "unreachable")]: rate(0.1),
        [aws("credentials", "own", "ok")]: rate(0.1),
      },
    ],
  },
  {
    alert: "NotationProviderRegistryTokenFails",
    fires: { [aws("ecr", "token", "unreachable")]: rate(0.1) },
    after: 1,
    labels: { region: "eu-west-1" },
    summary:
      "No token of Amazon ECR in eu-west-1 for 15 minutes; when the last one ends, its registries cannot be asked.",
    quiet: [
      { [aws("ecr", "token", "unreachable")]: rate(0.1), [aws("ecr", "token", "ok")]: rate(0.1) },
    ],
  },
  {
    alert: "NotationProviderRevocationUnknown",
    fires: {
      [aws("signer", "revocation", "unknown")]: rate(0.2),
      [aws("signer", "revocation", "ok")]: rate(1),
    },
    after: 1,
    labels: { region: "eu-west-1" },
    summary:
      "AWS Signer in eu-west-1 often does not say whether a signature is revoked; under strict those images are refused.",
    quiet: [
      {
        [aws("signer", "revocation", "unknown")]: rate(0.1),
        [aws("signer", "revocation", "ok")]: rate(1),
      },
    ],
  },
];

suite("the chart's alerts", () => {
  let directory: string;
  let rules: ReadonlyMap<string, Rule>;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "alerts-"));
    await using helm = await createHelm();
    const values = await helm.values({ metrics: { prometheusRule: { enabled: true } } });
    const text = await helm.render([join(CHART, "ci/defaults-values.yaml"), values]);
    const { groups } = find(parseDocuments(text), "PrometheusRule")["spec"] as {
      readonly groups: readonly { readonly rules: readonly Rule[] }[];
    };
    await writeFile(join(directory, "rules.yaml"), stringify({ groups }));
    rules = new Map(groups.flatMap((group) => group.rules.map((rule) => [rule.alert, rule])));
  });
  after(async () => await rm(directory, { recursive: true, force: true }));

  /** At each minute whether the alert fires, in the format of `promtool test rules`. */
  const expectAt = async (
    { alert, labels = {}, summary }: Case,
    series: Series,
    times: Readonly<Record<number, boolean>>,
  ): Promise<Ran> => {
    const rule = rules.get(alert);
    assert.ok(rule, alert);
    const fires = {
      exp_labels: { ...rule.labels, ...labels },
      exp_annotations: { ...rule.annotations, ...(summary !== undefined && { summary }) },
    };
    const file = join(directory, `${alert}.test.yaml`);
    const job = 'job="notation-provider-metrics"';
    await writeFile(
      file,
      stringify({
        rule_files: ["rules.yaml"],
        evaluation_interval: "1m",
        tests: [
          {
            name: alert,
            interval: "1m",
            input_series: Object.entries(series).map(([name, values]) => ({
              series: name.replace("$J", job),
              values,
            })),
            alert_rule_test: Object.entries(times).map(([minute, isFiring]) => ({
              eval_time: `${minute}m`,
              alertname: alert,
              exp_alerts: isFiring ? [fires] : [],
            })),
          },
        ],
      }),
    );
    return await run(join(ROOT, "tools/bin/alert-rules"), [file]);
  };

  test("each has a row here", () => {
    assert.deepEqual([...rules.keys()].toSorted(), CASES.map(({ alert }) => alert).toSorted());
  });

  for (const row of CASES) {
    const minutes = (): number => row.after + Number.parseInt(rules.get(row.alert)?.for ?? "", 10);
    test(`${row.alert} fires as soon as it has held for its time, and not before`, async () => {
      const at = minutes();
      const { code, stderr } = await expectAt(row, row.fires, { [at - 1]: false, [at]: true });
      assert.equal(code, 0, stderr);
    });
    for (const [index, series] of row.quiet.entries()) {
      test(`${row.alert} does not fire where it should not (${index + 1})`, async () => {
        const times = { [minutes()]: false, [LENGTH]: false };
        const { code, stderr } = await expectAt(row, series, times);
        assert.equal(code, 0, stderr);
      });
    }
  }

  test("what is expected wrongly is found", async () => {
    const [row] = CASES;
    assert.ok(row !== undefined);
    for (const times of [{ 1: true }, { [LENGTH]: false }]) {
      const { code, stderr } = await expectAt(row, row.fires, times);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /NotationProviderDown at 1[hm]:\s+expected .*\s+firing/);
    }
  });
});
