import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { layOutPlugin } from "../provider/signer/install.ts";
import { startProxy } from "../testing/aws/proxy.ts";
import { variablesOf } from "../testing/aws/keys.ts";
import { ROOT, type RunningProvider } from "../testing/provider/start.ts";
import { pass, slow } from "../testing/registry/answers.ts";
import { startUnruly } from "../testing/registry/unruly.ts";
import { createAwsSetting, type AwsSetting } from "./aws-setting.ts";
import { registryFaults, signerFaults } from "./faults.ts";
import { HEAP_MIB, vitalsOf, type Vitals } from "./processes.ts";
import type { Row } from "./report.ts";
import { measure, quantile, rateFor } from "./statistics.ts";

/** Milliseconds to Amazon ECR and to AWS Signer of the same region. */
const DISTANCE = { registry: 25, signer: 30 } as const;

/** Requests to a registry that answers slowly, at most: they and the processes that follow want to be kept busy. */
const REQUESTS = 32;

type Progress = (text: string) => void;

/** Tries of one image: what a fault left undecided is asked again, as Gatekeeper's callers do. */
const TRIES = 20;

interface AskOptions {
  readonly signal?: AbortSignal;
}

/** Asks for an image until it is decided, and insists that it is verified. @returns requests that it took */
function asking(provider: RunningProvider, setting: AwsSetting, options: AskOptions = {}) {
  const caller = provider.caller();
  return async (index: number): Promise<number> => {
    const key = setting.key(index);
    for (let tries = 1; ; tries += 1) {
      const { response, raw } = await caller.ask([key], options);
      const [item] = response.response.items;
      if (item !== undefined && item.error === undefined) return tries;
      if (item !== undefined || tries === TRIES) throw new Error(`not verified: ${raw}`);
    }
  };
}

const range = (from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => from + index);

/**
 * One image signed by AWS Signer after the other, and then a thousand at once, with AWS and Amazon ECR at a distance.
 * @param share of the load that is made, 1 or less
 */
export async function coldAws(progress: Progress, share: number): Promise<Row[]> {
  await using setting = await createAwsSetting({ kindOf: () => "aws", distanceMs: DISTANCE });
  await using provider = await setting.provider();
  const ask = asking(provider, setting);
  // The first one gets the token, opens connections and loads code.
  const began = performance.now();
  await ask(0);
  const first = performance.now() - began;
  const many = 1000 * share;
  progress("one cold image signed by AWS Signer after the other");
  const { times } = await measure(
    range(1, 60 * share),
    1,
    async (index) => void (await ask(index)),
  );
  const p95 = quantile(times, 0.95);

  progress(`${many} images signed by AWS Signer at once`);
  // A provider fetches its token as soon as it starts.
  const [tokens, questions] = [
    setting.aws.count("GetAuthorizationToken"),
    setting.aws.count("GetRevocationStatus"),
  ];
  await using fresh = await setting.provider();
  const askFresh = asking(fresh, setting);
  const from = performance.now();
  await measure(range(1000, many), REQUESTS, async (index) => void (await askFresh(index)));
  const seconds = (performance.now() - from) / 1000;
  const tokenCalls = setting.aws.count("GetAuthorizationToken") - tokens;
  const asked = setting.aws.count("GetRevocationStatus") - questions;
  return [
    {
      id: "aws cold",
      what: `one cold image signed by AWS Signer, by digest, built-in plugin; ECR ${DISTANCE.registry} ms and Signer ${DISTANCE.signer} ms away`,
      measured: `p50 ${quantile(times, 0.5).toFixed(0)} ms, p95 ${p95.toFixed(0)} ms; the very first ${first.toFixed(0)} ms, with token and code to load`,
      target: "p95 ≤ 200 ms",
      met: p95 <= 200,
      limit: "four round trips to ECR, a blob's redirect among them; the Signer's beside Notation",
    },
    {
      id: "aws 1,000",
      what: `${many} distinct images signed by AWS Signer, ${REQUESTS} requests at once, at the same distances`,
      measured: `${seconds.toFixed(1)} s, ${(many / seconds).toFixed(0)}/s`,
      target: `≤ ${15 * share} s`,
      met: seconds <= 15 * share,
      limit: "both cores, shared with the doubles of AWS and ECR: Notation and the launcher twice",
    },
    {
      id: "aws calls",
      what: "what these cost AWS, from a start with nothing",
      measured: `${tokenCalls} token of ECR, ${asked} questions to Signer`,
      target: "1 token for the region, 1 question for each signature",
      met: tokenCalls === 1 && asked === many,
      limit: "",
    },
  ];
}

/** What one `notation verify` against the registry takes, as one would do without the provider. */
export async function bareVerify(progress: Progress): Promise<Row[]> {
  const given = process.env["NOTATION_SIGNER_PLUGIN"];
  const kind = given === undefined ? "x509" : "aws";
  progress(`bare notation verify against the registry, ${kind}`);
  await using setting = await createAwsSetting({ kindOf: () => kind, distanceMs: DISTANCE });
  await using far = await startUnruly({ upstream: setting.made });
  far.on(/./, slow(DISTANCE.registry, pass()));
  await using proxy = await startProxy(setting.aws.url);
  const directory = await mkdtemp(join(tmpdir(), "bench-notation-"));
  try {
    const libexec = join(directory, "libexec");
    if (given !== undefined) layOutPlugin(libexec, given);
    const env = {
      HOME: directory,
      NOTATION_CONFIG: setting.trust,
      NOTATION_CACHE: join(directory, "cache"),
      NOTATION_LIBEXEC: libexec,
      ...variablesOf(setting.aws.credentials),
      AWS_EC2_METADATA_DISABLED: "true",
      HTTP_PROXY: proxy.url,
    };
    const config = ["aws-region=us-east-1", "aws-signer-endpoint-url=http://signer.test"];
    const options = given === undefined ? [] : config.flatMap((text) => ["--plugin-config", text]);
    const { times } = await measure(range(0, 20), 1, async (index) => {
      const { repository, digest } = setting.made.image(index);
      const reference = `${far.host}/${repository}@${digest}`;
      const args = ["verify", "--insecure-registry", ...options, reference];
      await new Promise<void>((resolve, reject) => {
        execFile(join(ROOT, "tools/bin/notation"), args, { env }, (error) => {
          if (error === null) resolve();
          else reject(error);
        });
      });
    });
    const who =
      given === undefined
        ? "one signed without AWS (for AWS's own plugin set NOTATION_SIGNER_PLUGIN to its path)"
        : "AWS's own plugin";
    return [
      {
        id: "aws bare",
        what: `\`notation verify\` against a registry ${DISTANCE.registry} ms away, plain HTTP: ${who}`,
        measured: `p50 ${quantile(times, 0.5).toFixed(0)} ms, p95 ${quantile(times, 0.95).toFixed(0)} ms`,
        target: "",
        met: undefined,
        limit: "five round trips one after the other, on a connection of its own",
      },
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Images at once that wait for a slow Signer. */
const WAITING = 64;
/** Work of the processors for one image that AWS Signer signed, in such images that it did not: 19 ms of Notation against 13. */
const WORK = 1.5;
/** Of images that AWS Signer signed; those below are signed without it. */
const FIRST_AWS = 1_000_000;

/** Whether a Signer that takes two seconds costs images that do not need it, of the very same registry. */
export async function slowSigner(progress: Progress, share: number): Promise<Row[]> {
  await using setting = await createAwsSetting({
    kindOf: (index) => (index < FIRST_AWS ? "x509" : "aws"),
    signerFault: () => (exchange) => slow(2000, async () => await exchange.pass())(exchange),
  });
  const seconds = Math.max(5, 15 * share);
  const rates: number[] = [];
  let waited = 0;
  for (const isSlow of [false, true]) {
    progress(`images without AWS, ${isSlow ? `beside ${WAITING} that wait` : "alone"}`);
    await using provider = await setting.provider({ overrides: { signer: { timeout: "3s" } } });
    const ask = asking(provider, setting);
    await ask(0);
    const caller = provider.caller();
    const over = new AbortController();
    let next = FIRST_AWS;
    const askSlow = asking(provider, setting, over);
    // Each is asked for again after its caller's deadline, and another one follows when it is verified.
    const wait = async (): Promise<void> => {
      while (!over.signal.aborted) {
        const isDecided = await askSlow((next += 1)).then(
          () => !over.signal.aborted,
          () => false,
        );
        if (isDecided) waited += 1;
      }
    };
    const waiting = isSlow ? Array.from({ length: WAITING }, wait) : [];
    if (isSlow) await setting.aws.seen("GetRevocationStatus", WAITING);
    waited = 0;
    rates.push(
      await rateFor(seconds, 8, async (index) => {
        const { response } = await caller.ask([setting.key(index + 1)]);
        return response.response.items.length === 1;
      }),
    );
    over.abort();
    await Promise.all(waiting);
  }
  const [alone = 0, beside = 0] = rates;
  const slowRate = waited / seconds;
  const used = (beside + WORK * slowRate) / alone;
  return [
    {
      id: "aws slow",
      what: `images that do not need AWS, alone and while ${WAITING} of the same registry wait for a Signer that takes 2 s`,
      measured: `${alone.toFixed(0)}/s alone, ${beside.toFixed(0)}/s beside ${slowRate.toFixed(0)}/s of the others: ${(used * 100).toFixed(0)} % of the work that there was alone`,
      target: "≥ 75 % of the work: no place is lost to those that wait",
      met: used >= 0.75,
      limit: "both cores: an image that waits for Signer is fetched before, and judged afterwards",
    },
  ];
}

/** Whether what is held stays bounded over ten thousand images with faults. */
export async function manyAws(progress: Progress, share: number): Promise<Row[]> {
  const images = 10_000 * share;
  await using setting = await createAwsSetting({
    kindOf: () => "aws",
    registryFault: registryFaults(),
    signerFault: signerFaults(),
  });
  await using provider = await setting.provider({
    entry: [
      `--max-old-space-size=${HEAP_MIB}`,
      join(ROOT, "provider/main.ts"),
      "serve",
      "--config",
    ],
  });
  const ask = asking(provider, setting);
  const looks: Vitals[] = [];
  let requests = 0;
  const began = performance.now();
  for (let quarter = 0; quarter < 4; quarter += 1) {
    const ours = range((quarter * images) / 4, images / 4);
    await measure(ours, REQUESTS, async (index) => {
      const tries = await ask(index);
      requests += tries;
    });
    looks.push(await vitalsOf(provider));
    progress(`${((quarter + 1) * images) / 4} images with 5 % faults`);
  }
  const seconds = (performance.now() - began) / 1000;
  const [, half, , last] = looks;
  if (half === undefined || last === undefined) throw new Error("there are four looks");
  const course = (read: (look: Vitals) => number): string =>
    looks.map((look) => read(look).toFixed(0)).join(", ");
  const counted = setting.aws.requests.filter(
    ({ operation }) => operation === "GetRevocationStatus",
  ).length;
  const tokens = setting.ecr.tokens.length;
  const isBounded =
    last.residentMiB <= 400 &&
    last.descriptors <= half.descriptors + 20 &&
    last.connections <= 120 &&
    last.children <= 12 &&
    tokens === 1;
  return [
    {
      id: "aws 10,000",
      what: `${images} distinct images signed by AWS Signer, 5 % faults of ECR and of Signer; after each quarter`,
      measured:
        `${seconds.toFixed(0)} s, ${requests - images} asked again; resident ${course((look) => look.residentMiB)} MiB, heap ${course((look) => look.heapMiB)} MiB, ` +
        `connections ${course((look) => look.connections)}, descriptors ${course((look) => look.descriptors)}, children ${course((look) => look.children)}; ` +
        `${tokens} token of ECR held, ${counted} questions to Signer`,
      target:
        "≤ 400 MiB, descriptors and connections as after the first half, 1 token, all verified",
      met: isBounded,
      limit: `caches: 20,000 verdicts, 64 MiB of evidence; a heap of ${HEAP_MIB} MiB at most, as in the chart's container; connections: 16 to a registry`,
    },
  ];
}
