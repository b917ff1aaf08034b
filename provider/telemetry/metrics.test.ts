import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { FAILURE_REASONS, REJECT_REASONS } from "../verdict/reasons.ts";
import { rejected, undecided } from "../verdict/verdict.ts";
import { createMetrics, type Metrics } from "./metrics.ts";

const registries = ["registry.example.com", "111122223333.dkr.ecr.eu-central-1.amazonaws.com"];

const NOTHING_OF_AWS = {
  credentials: () => [],
  tokens: () => [],
  watch: () => ({ size: 0, oldestAnswerMs: 0 }),
};

const regions = ["eu-central-1", "eu-west-1"];

/** States of a provider of which nothing is to be said. */
const QUIET: Parameters<Metrics["watch"]>[0] = {
  caches: () => [],
  waiting: () => 0,
  trust: () => [],
  trustAges: () => new Map(),
  versions: () => ({ provider: "1.2.3" }),
  certificate: () => ({ notAfter: new Date() }),
  connections: () => ({ handshaking: 0, idle: 0, active: 0, dropped: 0, failedHandshakes: 0 }),
  droppedLines: () => 0,
  aws: NOTHING_OF_AWS,
};

/** Samples of our own metrics, by name and labels as they are printed. */
async function samples(metrics: Metrics): Promise<ReadonlyMap<string, number>> {
  const lines = (await metrics.text()).split("\n");
  const own = lines.filter((line) => line.startsWith("notation_provider_"));
  return new Map(
    own.map((line) => {
      const blank = line.lastIndexOf(" ");
      const value = line.slice(blank + 1);
      return [line.slice(0, blank), value === "+Inf" ? Infinity : Number(value)];
    }),
  );
}

/** What a change did to the samples, those aside that time changes. */
async function changes(metrics: Metrics, change: () => void) {
  const before = await samples(metrics);
  change();
  const after = await samples(metrics);
  return [...after]
    .filter(
      ([name, value]) =>
        value !== before.get(name) && !/_(?:bucket|sum|expiry_seconds)\b/.test(name),
    )
    .map(([name, value]) => `${name.replace("notation_provider_", "")} ${value}`)
    .toSorted();
}

const key = "registry.example.com/x";
const cases: readonly {
  readonly name: string;
  readonly observe: (metrics: Metrics) => void;
  readonly want: readonly string[];
}[] = [
  {
    name: "a request",
    observe: (metrics) => {
      metrics.observeRequest({ route: "validate", status: 200, durationMs: 1 });
    },
    want: [
      'request_duration_seconds_count{route="validate"} 1',
      'requests_total{route="validate",code="200"} 1',
    ],
  },
  {
    name: "a rejected key",
    observe: (metrics) => {
      const verdict = rejected("REVOKED", "x");
      metrics.observeDecision({ key, verdict, cache: "joined", durationMs: 1 });
    },
    want: [
      'cache_requests_total{use="joined"} 1',
      'verification_duration_seconds_count{outcome="rejected",cache="joined"} 1',
      'verifications_total{outcome="rejected",reason="REVOKED"} 1',
    ],
  },
  {
    name: "an undecided key",
    observe: (metrics) => {
      const verdict = undecided("TIMEOUT", "x");
      metrics.observeDecision({ key, verdict, cache: "none", durationMs: 1 });
    },
    want: [
      'cache_requests_total{use="none"} 1',
      'verification_duration_seconds_count{outcome="undecided",cache="none"} 1',
      'verifications_total{outcome="undecided",reason="TIMEOUT"} 1',
    ],
  },
  {
    name: "a pinned image",
    observe: (metrics) => {
      metrics.observePin({ key, result: { kind: "pinned", image: key }, durationMs: 1 });
    },
    want: ['pins_total{outcome="pinned",reason=""} 1'],
  },
  {
    name: "a refresh",
    observe: (metrics) => {
      metrics.observeRefresh("verified");
    },
    want: ['cache_refreshes_total{outcome="verified"} 1'],
  },
  {
    name: "a request to a registry",
    observe: (metrics) => {
      metrics.observeRegistry({
        registry: "registry.example.com",
        operation: "blob",
        outcome: "REGISTRY_THROTTLED",
        durationMs: 1,
      });
    },
    want: [
      'registry_request_duration_seconds_count{registry="registry.example.com",operation="blob"} 1',
      'registry_requests_total{registry="registry.example.com",operation="blob",outcome="REGISTRY_THROTTLED"} 1',
    ],
  },
  {
    name: "a judgement",
    observe: (metrics) => {
      metrics.observeNotation({ outcome: "passed", durationMs: 1, spawnMs: 1, queueMs: 1 });
    },
    want: [
      "notation_duration_seconds_count 1",
      'notation_judgements_total{outcome="passed"} 1',
      "notation_queue_seconds_count 1",
      "notation_spawn_seconds_count 1",
    ],
  },
  {
    name: "a token of Amazon ECR",
    observe: (metrics) => {
      const about = { service: "ecr", operation: "token", region: "eu-west-1" } as const;
      metrics.observeAws({ ...about, outcome: "denied", durationMs: 1 });
    },
    want: [
      'aws_request_duration_seconds_count{service="ecr",operation="token"} 1',
      'aws_requests_total{service="ecr",operation="token",region="eu-west-1",outcome="denied"} 1',
    ],
  },
  {
    name: "a role that is assumed",
    observe: (metrics) => {
      metrics.observeAws({
        service: "credentials",
        operation: "role",
        source: "webIdentity",
        role: "arn:aws:iam::111122223333:role/a",
        outcome: "ok",
        durationMs: 1,
      });
    },
    want: [
      'aws_request_duration_seconds_count{service="credentials",operation="role"} 1',
      'aws_requests_total{service="credentials",operation="role",region="",outcome="ok"} 1',
    ],
  },
  {
    name: "T-20 a question to AWS Signer in a region that only a signature names",
    observe: (metrics) => {
      const about = { service: "signer", operation: "revocation", region: "us-east-9" } as const;
      metrics.observeAws({ ...about, outcome: "revoked", durationMs: 1 });
    },
    want: [
      'aws_request_duration_seconds_count{service="signer",operation="revocation"} 1',
      'aws_requests_total{service="signer",operation="revocation",region="other",outcome="revoked"} 1',
    ],
  },
  {
    name: "every state",
    observe: (metrics) => {
      metrics.watch({
        caches: () => [{ cache: "tags", entries: 3, bytes: 300 }],
        waiting: () => 4,
        trust: () => [{ name: "prod", state: "stale", problems: [] }],
        trustAges: () => new Map([["prod", 13_000]]),
        versions: () => ({ provider: "1.2.3", notation: "1.3.2" }),
        connections: () => ({
          handshaking: 5,
          idle: 6,
          active: 7,
          dropped: 8,
          failedHandshakes: 9,
        }),
        certificate: () => ({ notAfter: new Date() }),
        droppedLines: () => 10,
        aws: {
          credentials: () => [
            { source: "webIdentity", leftMs: 3_600_000 },
            { source: "webIdentity", role: "arn:aws:iam::111122223333:role/a", leftMs: 900_000 },
            { source: "webIdentity", role: "arn:aws:iam::111122223333:role/b" },
          ],
          tokens: () => [
            { region: "eu-west-1", leftMs: 50_000 },
            { region: "eu-west-1", leftMs: 40_000 },
            { region: "eu-central-1", leftMs: Infinity },
          ],
          watch: () => ({ size: 11, oldestAnswerMs: 12_000 }),
        },
      });
    },
    want: [
      'aws_credentials_source{source="webIdentity"} 1',
      'build_info{version="1.2.3",notation="1.3.2"} 1',
      'cache_bytes{cache="tags"} 300',
      'cache_entries{cache="tags"} 3',
      'connections{state="active"} 7',
      'connections{state="handshaking"} 5',
      'connections{state="idle"} 6',
      "dropped_connections_total 8",
      "dropped_log_lines_total 10",
      "failed_handshakes_total 9",
      "signer_oldest_answer_seconds 12",
      "signer_watched_questions 11",
      'trust_policy_age_seconds{policy="prod"} 13',
      'trust_policy_state{policy="prod",state="current"} 0',
      'trust_policy_state{policy="prod",state="never"} 0',
      'trust_policy_state{policy="prod",state="stale"} 1',
      "waiting_keys 4",
    ],
  },
];
for (const { name, observe, want } of cases) {
  test(`${name} changes its own samples and no others`, async () => {
    const metrics = createMetrics({ registries, regions });
    assert.deepEqual(
      await changes(metrics, () => {
        observe(metrics);
      }),
      want,
    );
  });
}

test("counts add up over several scrapes", async () => {
  const metrics = createMetrics({ registries, regions });
  const name = 'notation_provider_requests_total{route="mutate",code="200"}';
  for (const total of [1, 2, 3]) {
    metrics.observeRequest({ route: "mutate", status: 200, durationMs: 1 });
    assert.equal((await samples(metrics)).get(name), total);
  }
});

test("every reason begins at 0", async () => {
  const all = await samples(createMetrics({ registries, regions }));
  for (const [outcome, reasons] of [
    ["rejected", REJECT_REASONS],
    ["undecided", FAILURE_REASONS],
  ] as const) {
    for (const reason of reasons) {
      const labels = `{outcome="${outcome}",reason="${reason}"}`;
      assert.equal(all.get(`notation_provider_verifications_total${labels}`), 0, reason);
    }
  }
});

test("durations are told apart at the time-outs of 1, 2 and 3 seconds", async () => {
  const all = await samples(createMetrics({ registries, regions }));
  for (const bound of ["0.001", "0.75", "1", "1.5", "2", "2.5", "3", "5", "10"]) {
    const name = `notation_provider_request_duration_seconds_bucket{le="${bound}",route="validate"}`;
    assert.equal(all.get(name), 0, name);
  }
});

test("the expiry of the serving certificate is told in seconds, 0 before there is one", async () => {
  const metrics = createMetrics({ registries, regions });
  const name = "notation_provider_serving_certificate_expiry_seconds";
  assert.equal((await samples(metrics)).get(name), 0);
  metrics.watch({ ...QUIET, certificate: () => ({ notAfter: new Date(Date.now() - 5_000) }) });
  const seconds = (await samples(metrics)).get(name);
  assert.ok(seconds !== undefined && seconds <= -5 && seconds > -1_000, String(seconds));
});

test("the time that is left of tokens and credentials is that of the one that ends first, 0 where there is none", async () => {
  const metrics = createMetrics({ registries, regions });
  metrics.watch({
    ...QUIET,
    aws: {
      ...NOTHING_OF_AWS,
      credentials: () => [
        { source: "environment", leftMs: Infinity },
        { source: "environment", role: "arn:aws:iam::111122223333:role/a", leftMs: 900_000 },
        { source: "environment", role: "arn:aws:iam::111122223333:role/b" },
      ],
      tokens: () => [
        { region: "eu-west-1", leftMs: 50_000 },
        { region: "eu-west-1", leftMs: 40_000 },
        { region: "eu-central-1" },
      ],
    },
  });
  const all = await samples(metrics);
  const left = [...all].filter(([name]) => /aws_\w+_expiry_seconds/.test(name));
  assert.deepEqual(Object.fromEntries(left), {
    'notation_provider_aws_token_expiry_seconds{region="eu-west-1"}': 40,
    'notation_provider_aws_token_expiry_seconds{region="eu-central-1"}': 0,
    'notation_provider_aws_credentials_expiry_seconds{operation="own"}': Infinity,
    'notation_provider_aws_credentials_expiry_seconds{operation="role"}': 0,
  });
});

test("T-20 10,000 images leave the size of /metrics as it was", async () => {
  const metrics = createMetrics({ registries, regions });
  const sizes: number[] = [];
  for (const count of [1, 10_000]) {
    for (let index = 0; index < count; index += 1) {
      const image = `registry-${index}.example.com/image-${index}:${index}`;
      metrics.observeDecision({
        key: image,
        verdict: rejected("UNSIGNED", image),
        policy: image,
        registry: image,
        cache: "miss",
        durationMs: index,
      });
      metrics.observePin({ key: image, result: rejected("IMAGE_NOT_FOUND", image), durationMs: 1 });
      metrics.observeRegistry({
        registry: image,
        operation: "subject",
        outcome: "ok",
        durationMs: index,
      });
    }
    const text = await metrics.text();
    assert.equal(text.includes("image-"), false);
    sizes.push(text.length);
  }
  const [first = 0, last = 0] = sizes;
  assert.ok(last - first < 2_000, `${first} → ${last}`);
  assert.ok(last < 150_000, String(last));
});

/** Our own metrics, of which every label is known. */
const own = (all: ReadonlyMap<string, string>): Readonly<Record<string, string>> =>
  Object.fromEntries([...all].filter(([name]) => name.startsWith("notation_")));

test("docs/metrics.md names every metric with its type and its labels, and no other", async () => {
  const metrics = createMetrics({ registries, regions });
  metrics.watch({
    ...QUIET,
    trust: () => [{ name: "default", state: "current", problems: [] }],
    trustAges: () => new Map([["default", 0]]),
    aws: {
      ...NOTHING_OF_AWS,
      credentials: () => [{ source: "podIdentity" }],
      tokens: () => [{ region: "eu-west-1" }],
    },
  });
  const text = await metrics.text();
  const exposed = new Map<string, string>();
  for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
    const first = new RegExp(`^${name}(?:_count)?(?:{(.*)})? `, "m").exec(text)?.[1] ?? "";
    const labels = [...first.matchAll(/(\w+)="/g)].map(([, label]) => label);
    exposed.set(name, `${type}: ${labels.join(", ")}`);
  }
  const page = await readFile(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const described = new Map<string, string>();
  for (const [, name = "", type, labels = ""] of page.matchAll(
    /^\| (\w+) +\| (\w+) +\|([^|]*)\|/gm,
  )) {
    if (name !== "metric") described.set(name, `${type}: ${labels.trim()}`);
  }
  assert.deepEqual(own(described), own(exposed));
  // Of Node's own some have no sample yet, and then no labels to compare.
  assert.deepEqual([...described.keys()].toSorted(), [...exposed.keys()].toSorted());
});
