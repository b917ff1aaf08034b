// `make bench-soak`: twenty real minutes of mixed load, in which two hours pass for whatever the provider keeps. Ends with a table and
// exit code 1 when a gate was missed. `make bench-soak ARGS=--short` is the same in two minutes with fewer images, and writes no file.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { createCaller, type Caller, type Item } from "../testing/gatekeeper/caller.ts";
import {
  createAuthorities,
  createGatekeeperAuthority,
  gatekeeperName,
  type Authority,
} from "../testing/gatekeeper/certificates.ts";
import { ROOT } from "../testing/provider/start.ts";
import { statement } from "../testing/signing/trust.ts";
import { createAwsSetting, type Kind } from "./aws-setting.ts";
import { acceleratedAges } from "./clock.ts";
import { registryFaults, signerFaults } from "./faults.ts";
import { readHeld, type Held } from "./held.ts";
import {
  answersOf,
  collectedShare,
  HEAP_MIB,
  LATE_SECONDS,
  sumOf,
  vitalsOf,
  type Vitals,
} from "./processes.ts";
import { machine, table, type Row } from "./report.ts";
import { quantile, slopeOf, type Slope } from "./statistics.ts";

const isShort = process.argv.includes("--short");
const MINUTES = isShort ? 2 : 20;
const IMAGES = isShort ? 2_000 : 50_000;
/** Minutes that pass meanwhile for verdicts, tags, evidence and tokens. */
const AGED_MINUTES = isShort ? 40 : 130;
const FACTOR = AGED_MINUTES / MINUTES;

/**
 * Caches that are full within half a minute, and emptied by half and filled again many times afterwards: what still rises then is kept by
 * nobody on purpose, and a sample more or less before such an emptying makes no slope.
 */
const CACHE = { maxVerdicts: 1000, maxTags: 100, maxEvidence: "4MiB" };
const MAX_EVIDENCE_BYTES = 4 * 2 ** 20;

/** Life of a token of ECR, in minutes of the accelerated clock: twelve hours would outlive the soak. */
const TOKEN_MINUTES = isShort ? 10 : 30;
/** The same of the credentials of the provider's role: the shortest that STS gives. */
const ROLE_MINUTES = 15;
/** Real seconds between two trust policies, two certificates, two tokens of the web identity, two looks at the process. */
const POLICY_SECONDS = 10;
const CERTIFICATE_SECONDS = 15;
const WEB_IDENTITY_SECONDS = 20;
const LOOK_SECONDS = isShort ? 2 : 5;
/** And two collections of garbage, after which it is noted what is left. */
const COLLECT_SECONDS = isShort ? 5 : 8;
/** Milliseconds after which a collection is in the metrics for certain. */
const TOLD_MS = 1000;
/** Certificates for each client CA: the CA before it is not accepted any more when the next one comes. */
const CERTIFICATES_OF_CA = isShort ? 2 : 4;

/**
 * V8 optimizes a function after a tenth of the calls that it usually takes, so that its youth passes more quickly as well: what it compiles
 * of a process becomes 1 MiB more in the first hours, and would be taken for something that is kept.
 */
const GROWN_UP = ["--invocation-count-for-maglev=40", "--invocation-count-for-turbofan=300"];

/** Images that are asked for again and again, in requests of three, so many a second. */
const HOT = 60;
const HOT_REQUESTS = 20;
/** Requests for new images at once, at most: a machine that is too slow falls behind, and does not pile up. */
const MOST_AT_ONCE = 100;
/** Tries of one image before it counts as not decided. */
const TRIES = 30;
/** Of twenty images: how they are signed. */
const kindOf = (index: number): Kind => {
  const turn = index % 20;
  if (turn === 0) return "unsigned";
  if (turn === 1) return "stranger";
  if (turn === 2) return "revoked";
  return turn < 7 ? "aws" : "x509";
};

/** What an image must be answered with: facts, or this reason. */
const REASONS: ReadonlyMap<Kind, string> = new Map([
  ["unsigned", "UNSIGNED"],
  ["stranger", "UNTRUSTED_SIGNER"],
  ["revoked", "REVOKED"],
]);

const isRight = (index: number, { error, value }: Item): boolean => {
  const reason = REASONS.get(kindOf(index));
  if (reason !== undefined) return error?.startsWith(`${reason}: `) === true;
  return (value as { readonly outcome?: string } | undefined)?.outcome === "verified";
};

// Whatever hangs, this ends.
globalThis
  .setTimeout(
    () => {
      process.stderr.write("the soak does not end\n");
      process.exit(1);
    },
    (MINUTES * 1.5 + 3) * 60_000,
  )
  .unref();

const epoch = Date.now();
const ages = acceleratedAges(FACTOR, epoch);
const began = performance.now();
const elapsed = (): number => (performance.now() - began) / 1000;
const say = (text: string): void =>
  void process.stderr.write(`  ${elapsed().toFixed(0).padStart(4)} s  ${text}\n`);

const counts = {
  requests: 0,
  keys: 0,
  decided: 0,
  undecided: 0,
  wrong: 0,
  failed: 0,
  policies: 0,
  certificates: 0,
  clientCAs: 0,
  webIdentities: 0,
};
const wrong: string[] = [];
const times: number[] = [];

say(
  `L-5 and F-40: ${IMAGES} distinct images in ${MINUTES} minutes, ${AGED_MINUTES} by the provider's clock of ages`,
);
await using setting = await createAwsSetting({
  kindOf,
  keyType: "P-256",
  registryFault: registryFaults(),
  signerFault: signerFaults(),
  lifeNow: ages.wallNow,
  roleLifeMs: ROLE_MINUTES * 60_000,
});
const authorities = await createAuthorities();
setting.ecr.state.lifeMs = TOKEN_MINUTES * 60_000;
await using provider = await setting.provider({
  authorities,
  entry: [
    `--max-old-space-size=${HEAP_MIB}`,
    "--expose-gc",
    ...GROWN_UP,
    join(ROOT, "bench/soak-provider.ts"),
    String(FACTOR),
    String(epoch),
  ],
  // Where minutes are hours, what is watched is asked about as often as it would be in an hour.
  overrides: {
    cache: CACHE,
    signer: { revocationInterval: `${Math.ceil(60 / FACTOR)}s`, revocationRate: 20 },
  },
});
const atRest = await vitalsOf(provider);
/** A caller with a new certificate; it is closed when what it asked is answered. */
async function callerOf(authority: Authority): Promise<Pick<Caller, "ask" | "close">> {
  const pair = await authority.issue({ name: gatekeeperName() });
  const made = createCaller({ url: provider.url, ca: authorities.ca, ...pair });
  const underWay = new Set<Promise<unknown>>();
  return {
    async ask(keys) {
      const answer = made.ask(keys);
      underWay.add(answer);
      return await answer.finally(() => underWay.delete(answer));
    },
    async close() {
      await Promise.allSettled(underWay);
      await made.close();
    },
  };
}
let clientCA: Authority = authorities.gatekeeper;
let caller = await callerOf(clientCA);

const isAccepted = async (candidate: Pick<Caller, "ask">): Promise<boolean> =>
  await candidate.ask([]).then(
    () => true,
    () => false,
  );

/** As Gatekeeper's certificates are replaced: the provider has the new CA before the caller shows a certificate of it. */
async function replaceClientCA(): Promise<void> {
  const next = await createGatekeeperAuthority();
  await writeFile(join(provider.directory, "gatekeeper/ca.crt"), next.ca);
  const first = await callerOf(next);
  while (!(await isAccepted(first))) await setTimeout(100);
  await first.close();
  clientCA = next;
}

/** Asks once, and looks at the answer. @returns the images that are still undecided */
async function ask(
  indexes: readonly number[],
  keyOf: (index: number) => string = setting.key,
): Promise<readonly number[]> {
  const keys = new Map(indexes.map((index) => [keyOf(index), index]));
  const from = performance.now();
  counts.requests += 1;
  counts.keys += keys.size;
  try {
    const { response } = await caller.ask([...keys.keys()]);
    for (const item of response.response.items) {
      const index = keys.get(item.key);
      if (index === undefined || !isRight(index, item)) {
        counts.wrong += 1;
        wrong.push(`${index === undefined ? "?" : kindOf(index)}: ${JSON.stringify(item)}`);
      }
      keys.delete(item.key);
    }
  } catch (error) {
    counts.failed += 1;
    wrong.push(`failed: ${String(error)}`);
  }
  times.push(performance.now() - from);
  counts.undecided += keys.size;
  return [...keys.values()];
}

/** Asks for a new image until it is decided. */
async function decide(index: number): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const { length } = await ask([index]);
    if (length === 0) {
      counts.decided += 1;
      return;
    }
  }
}

const over = new AbortController();
/** Does something at fixed times until the load is over. */
async function every(seconds: number, work: () => Promise<void> | void): Promise<void> {
  for (let turn = 1; !over.signal.aborted; turn += 1) {
    const pause = began + startedMs + turn * seconds * 1000 - performance.now();
    await setTimeout(Math.max(0, pause), undefined, { signal: over.signal }).catch(() => {});
    if (!over.signal.aborted) await work();
  }
}
const startedMs = performance.now() - began;

/** New images at an even rate, as many at once as it takes. */
async function newImages(): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const rate = IMAGES / (MINUTES * 60);
  for (let index = HOT; index < IMAGES; index += 1) {
    const pause = startedMs + (index / rate) * 1000 - (performance.now() - began);
    if (pause > 0) await setTimeout(pause);
    while (underWay.size >= MOST_AT_ONCE) await Promise.race(underWay);
    // A machine that cannot keep up must not make this endless.
    if (elapsed() > MINUTES * 60 * 1.25) break;
    const deciding = decide(index).finally(() => underWay.delete(deciding));
    underWay.add(deciding);
  }
  await Promise.all(underWay);
}

/** The certificate that was written last, by its end. */
let certificateUntil = new Date(0);
const looks: Vitals[] = [];
let hot = 0;
const background = [
  every(1 / HOT_REQUESTS, async () => {
    hot += 3;
    // One round by digests, the next by tags.
    const keyOf = Math.floor(hot / HOT) % 2 === 0 ? setting.key : setting.tag;
    await ask(
      [hot, hot + 1, hot + 2].map((index) => index % HOT),
      keyOf,
    );
  }),
  every(POLICY_SECONDS, () => {
    counts.policies += 1;
    const name = `other-${counts.policies % 7}`;
    const scope = `registry.example.com/${name}`;
    setting.writePolicy([statement({ name, registryScopes: [scope] })]);
  }),
  every(CERTIFICATE_SECONDS, async () => {
    counts.certificates += 1;
    // Told apart by their ends, which the provider's metrics say.
    certificateUntil = new Date(Date.now() + (24 * 60 + counts.certificates) * 60_000);
    await provider.renewCertificate(certificateUntil);
    if (counts.certificates % CERTIFICATES_OF_CA === 0) {
      counts.clientCAs += 1;
      await replaceClientCA();
    }
    const old = caller;
    caller = await callerOf(clientCA);
    void old.close();
  }),
  every(LOOK_SECONDS, async () => {
    looks.push(await vitalsOf(provider));
    setting.registry.forget();
    setting.registry.bucket.forget();
  }),
  every(WEB_IDENTITY_SECONDS, async () => {
    counts.webIdentities += 1;
    await setting.rotateWebIdentity();
  }),
  every(COLLECT_SECONDS, () => void process.kill(provider.pid, "SIGUSR2")),
  every(isShort ? 10 : 60, () => {
    const last = looks.at(-1);
    say(
      `${counts.decided} decided, ${counts.undecided} undecided at first, ${counts.wrong} wrong, ${counts.failed} failed; ` +
        `resident ${last?.residentMiB.toFixed(0)} MiB, heap ${last?.heapMiB.toFixed(0)} MiB, ${last?.descriptors} descriptors`,
    );
  }),
];
// The hot images are new once as well.
await Promise.all(Array.from({ length: HOT }, (_, index) => decide(index)));
await newImages();
const seconds = elapsed() - startedMs / 1000;
over.abort();
await Promise.all(background);

say("load is over; waiting for what is under way");
// Runs that nobody waits for any more end at their deadline of ten seconds.
await setTimeout(12_000);
const former = await callerOf(authorities.gatekeeper);
const accepted = { last: await isAccepted(caller), first: await isAccepted(former) };
await Promise.all([caller.close(), former.close()]);
await setTimeout(1000);
const held = await readHeld(provider.directory);
const afterwards = await vitalsOf(provider);

/** Caches are full and the code is compiled in the last two thirds. @param ms since the beginning */
const isSteady = (ms: number): boolean =>
  ms - startedMs > (seconds * 1000) / 3 && ms - startedMs < seconds * 1000;
const steady = looks.filter(({ at }) => isSteady(at - began));
const last = steady.at(-1) ?? atRest;
const steadyHeld = held.filter(({ agedMs }) => isSteady(agedMs / FACTOR));
const rise = (read: (held: Held) => number): Slope =>
  slopeOf(steadyHeld.map((each) => [each.agedMs / 3_600_000, read(each)]));
const inWords = ({ slope, within }: Slope): string =>
  `${slope.toFixed(2)} ± ${within.toFixed(2)} MiB/h`;
const restOf = (each: Held): number =>
  each.residentMiB - each.heapMiB - each.codeMiB - each.buffersMiB - each.looseMiB - each.filesMiB;
const resident = rise((each) => each.residentMiB);
/** Whether garbage was collected between two looks because it is noted what is held. */
const isOurs = (from: Vitals, to: Vitals): boolean =>
  held.some(({ agedMs, tookMs }) => {
    const at = began + agedMs / FACTOR;
    return at < to.at && at + tookMs + TOLD_MS > from.at;
  });
const shares = steady.slice(1).flatMap((look, index) => {
  const before = steady[index] ?? look;
  return isOurs(before, look) ? [] : [collectedShare(before, look)];
});
const share = shares.reduce((total, each) => total + each, 0) / shares.length;
const verdicts = sumOf(last.metrics, "notation_provider_cache_entries", 'cache="verdicts"');
const evidence = sumOf(last.metrics, "notation_provider_cache_bytes", 'cache="evidence"');
const expirySeconds = sumOf(
  afterwards.metrics,
  "notation_provider_serving_certificate_expiry_seconds",
);
const servedUntil = Date.now() + expirySeconds * 1000;
const range = (values: readonly number[]): string =>
  `${Math.min(...values).toFixed(0)} to ${Math.max(...values).toFixed(0)}`;
const spread = (read: (look: Vitals) => number): string => range(steady.map(read));
const part = (read: (held: Held) => number): string =>
  `${range(steadyHeld.map(read))} MiB, ${inWords(rise(read))}`;
const middle = (from: readonly Vitals[], read: (look: Vitals) => number): number =>
  quantile(from.map(read), 0.5);
const half = Math.floor(steady.length / 2);
const kept = (look: Vitals): number => look.descriptors - look.connections;
const answers = answersOf(afterwards.metrics);
const drift = middle(steady.slice(half), kept) - middle(steady.slice(0, half), kept);
const tokens = setting.ecr.tokens.length;
const passedMinutes = (seconds / 60) * FACTOR;
const mostTokens = 2 + Math.ceil(passedMinutes / (0.75 * TOKEN_MINUTES));
const lent = setting.aws.count("AssumeRoleWithWebIdentity");
const mostLent = 2 + Math.ceil(passedMinutes / (0.75 * ROLE_MINUTES));
const { requests: registryRequests, faults } = setting.made.counts();

const gate = (
  id: string,
  what: string,
  measured: string,
  target: string,
  met: boolean,
  limit = "",
): Row => ({ id, what, measured, target, met, limit });
const rows: readonly Row[] = [
  {
    id: "load",
    what: "what there was, all of it judged by the real Notation",
    measured:
      `${seconds.toFixed(0)} s, ${counts.requests} requests, ${registryRequests} to the registry with ${faults} faults, ` +
      `${setting.aws.count("GetRevocationStatus")} to Signer, ${counts.policies} trust policies, ${counts.certificates} certificates, ${counts.clientCAs} client CAs, ${counts.webIdentities} tokens of the web identity`,
    target: "",
    met: undefined,
    limit: "both cores, shared with the doubles of AWS and ECR and the callers",
  },
  gate(
    "L-5 ages",
    "minutes that passed for verdicts, tags, evidence and tokens",
    passedMinutes.toFixed(0),
    isShort ? "≥ 30" : "≥ 120",
    passedMinutes >= (isShort ? 30 : 120),
  ),
  gate(
    "L-5 images",
    `${IMAGES} distinct images: x509, AWS Signer, revoked, a stranger's, unsigned`,
    `${counts.decided} decided, ${counts.undecided} undecided at first, by faults or load`,
    "all decided",
    counts.decided === IMAGES,
  ),
  gate(
    "L-5 verdicts",
    "answers that were wrong",
    `${counts.wrong} of ${counts.keys}`,
    "0",
    counts.wrong === 0,
  ),
  gate(
    "L-5 deadline",
    `requests answered more than ${LATE_SECONDS} s after they came, with a deadline of 1.8 s, or not at all`,
    `${answers.late} late, ${counts.failed} failed of ${counts.requests}; as the caller sees it p99 ${quantile(times, 0.99).toFixed(0)} ms, slowest ${quantile(times, 1).toFixed(0)} ms`,
    "0",
    answers.late === 0 && counts.failed === 0 && answers.all >= counts.requests,
    "the caller shares its process with the doubles of AWS and ECR",
  ),
  {
    id: "L-5 memory",
    what: `resident memory right after ${steadyHeld.length} collections in the last two thirds, and its slope by the hours that passed for what is kept, with its interval of 95 %`,
    measured: part((each) => each.residentMiB),
    target: isShort ? "not judged: a process warms up for longer" : "< 1 MiB/h, the whole interval",
    met: isShort ? undefined : resident.slope + resident.within < 1,
    limit: "",
  },
  {
    id: "L-5 memory, parts",
    what: "objects that can be reached; code that was compiled; buffers; pages of the heap beyond these; pages of Node's program and its libraries; the rest, which these allocate",
    measured: [
      part((each) => each.heapMiB),
      part((each) => each.codeMiB),
      part((each) => each.buffersMiB),
      part((each) => each.looseMiB),
      part((each) => each.filesMiB),
      part(restOf),
    ].join("; "),
    target: "",
    met: undefined,
    limit: "caches, which are made small so that they are full early",
  },
  gate(
    "L-5 caches",
    "what is kept at the end",
    `${verdicts} verdicts, ${(evidence / 2 ** 20).toFixed(0)} MiB of evidence`,
    `≤ ${CACHE.maxVerdicts}, ≤ ${CACHE.maxEvidence}`,
    verdicts <= CACHE.maxVerdicts && evidence <= MAX_EVIDENCE_BYTES,
  ),
  gate(
    "L-5 descriptors",
    "open descriptors in the last two thirds, how the middle of those that are no connections moved, and at rest before and after",
    `${spread((look) => look.descriptors)}, moved by ${drift.toFixed(0)}; ${atRest.descriptors} before, ${afterwards.descriptors} after`,
    "flat",
    Math.abs(drift) <= 8 && afterwards.descriptors <= atRest.descriptors + 40,
    "40 after: idle connections to ECR, its blobs and AWS",
  ),
  gate(
    "L-5 children",
    "processes below the provider, and at rest before and after",
    `${spread((look) => look.children)}; ${atRest.children} before, ${afterwards.children} after`,
    "as before",
    afterwards.children === atRest.children,
  ),
  gate(
    "L-5 collection",
    "share of the time that garbage is collected, in the last two thirds, while nobody asks for it",
    `${(share * 100).toFixed(1)} %`,
    "< 5 %",
    share < 0.05,
  ),
  {
    id: "L-5 loop",
    what: "delay of the event loop in the last two thirds, beyond its timer's grain",
    measured: `p99 ${middle(steady, (look) => look.lagP99Ms).toFixed(1)} ms in the middle, longest ${Math.max(...steady.map((look) => look.lagMaxMs)).toFixed(0)} ms`,
    target: "",
    met: undefined,
    limit: "two cores that are shared with everything else",
  },
  gate(
    "L-5 tokens",
    `tokens of ECR, of ${TOKEN_MINUTES} minutes each`,
    `${tokens}`,
    `≤ ${mostTokens}`,
    tokens <= mostTokens && tokens > 1,
  ),
  gate(
    "L-5 credentials",
    `credentials of a role of ${ROLE_MINUTES} minutes each, by a web identity whose token was rotated ${counts.webIdentities} times`,
    `${lent}`,
    `${Math.floor(passedMinutes / ROLE_MINUTES)} to ${mostLent}`,
    lent >= Math.floor(passedMinutes / ROLE_MINUTES) && lent <= mostLent,
  ),
  gate(
    "L-5 client CA",
    `client CAs of the callers, replaced ${counts.clientCAs} times: who is accepted at the end`,
    `the last ${accepted.last ? "is" : "is not"}, the first ${accepted.first ? "is" : "is not"}`,
    "the last alone",
    accepted.last && !accepted.first && counts.clientCAs > 1,
  ),
  gate(
    "L-5 certificate",
    "the certificate that was written last is the one that is served",
    servedUntil === 0 ? "none" : new Date(servedUntil).toISOString(),
    certificateUntil.toISOString(),
    Math.abs(servedUntil - certificateUntil.getTime()) < 30_000,
  ),
  gate(
    "L-5 start",
    "from the start of the process to ready",
    `${provider.startedMs.toFixed(0)} ms`,
    "≤ 1,500 ms",
    provider.startedMs <= 1500,
  ),
];

const text = `# Soak, ${new Date().toISOString().slice(0, 10)}

${machine({ Notation: "1.3.2" })}.
Caller, registry, AWS and provider share the machine. \`make bench-soak\` prints this table.

${table(rows)}
`;
process.stdout.write(`\n${text}`);
for (const each of wrong.slice(0, 20)) process.stdout.write(`\n${each}`);
const missed = rows.filter(({ met }) => met === false).map(({ id }) => id);
process.stdout.write(
  missed.length === 0 ? "\nevery gate is met\n" : `\nmissed: ${missed.join(", ")}\n`,
);
if (!isShort) {
  const directory = join(ROOT, "bench/results");
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, `${new Date().toISOString().slice(0, 10)}-soak.md`), text);
}
process.exitCode = missed.length === 0 ? 0 : 1;
