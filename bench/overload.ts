import { createFakeNotation } from "../testing/notation/fake-notation.ts";
import { SUCCEEDS } from "../testing/notation/behaviours.ts";
import { silent } from "../testing/registry/answers.ts";
import { startUnruly } from "../testing/registry/unruly.ts";
import { pushSigned } from "./images.ts";
import type { Row } from "./report.ts";
import { answersOf, vitalsOf } from "./processes.ts";
import type { Setting } from "./setting.ts";
import { measure, quantile } from "./statistics.ts";

/** Answers later than this were not given by the deadline of 1.8 s; the rest is the caller and a busy machine. */
const LATE_MS = 2000;

/** L-3: a thousand distinct images at once after the start, with a Notation that takes 300 ms, eight at a time. */
export async function coldBurst(
  setting: Setting,
  progress: (text: string) => void,
): Promise<Row[]> {
  progress("L-3 push 1,000 signed images");
  const images = await pushSigned(setting.registry, setting.signer, "burst/app", 1000);
  await using fake = await createFakeNotation({ verify: `sleep 0.3\n${SUCCEEDS}` });
  await using provider = await setting.provider({
    notation: fake.path,
    overrides: { notation: { concurrency: 8 }, verification: { deadline: "60s" } },
  });
  const caller = provider.caller();
  const keys = images.map(
    ({ repository, digest }) => `${setting.registry.host}/${repository}@${digest}`,
  );
  const batches = Array.from({ length: 100 }, (_, index) =>
    keys.slice(index * 10, index * 10 + 10),
  );
  const answers: number[] = [];
  const decided = new Set<string>();
  progress("L-3 1,000 distinct images at once, Notation 300 ms, 8 at a time");
  const began = performance.now();
  const ask = async (batch: readonly string[]): Promise<void> => {
    const start = performance.now();
    const { response } = await caller.ask(batch);
    answers.push(performance.now() - start);
    for (const { key } of response.response.items) decided.add(key);
  };
  // As Gatekeeper's callers do: what was not decided is asked again.
  while (decided.size < keys.length && performance.now() - began < 90_000) {
    const open = batches.filter((batch) => batch.some((key) => !decided.has(key)));
    await measure(open, 100, ask);
  }
  const seconds = (performance.now() - began) / 1000;
  const late = answers.filter((ms) => ms > LATE_MS).length;
  const own = answersOf((await vitalsOf(provider)).metrics);
  return [
    {
      id: "L-3",
      what: "1,000 distinct cold images in 100 requests at once, retried; Notation 300 ms, 8 at a time",
      measured: `all decided after ${seconds.toFixed(0)} s, ${fake.runs()} runs, slowest answer ${quantile(answers, 1).toFixed(0)} ms; ${own.late} late of ${answers.length} by the provider's clock, ${late} by the caller's`,
      target: "every answer by the deadline, all decided in 60 s, no run twice",
      met:
        own.late === 0 &&
        seconds <= 60 &&
        fake.runs() === keys.length &&
        decided.size === keys.length,
      limit:
        "1,000 × 300 ms ÷ 8 = 37.5 s; the caller's clock has the handshakes of a hundred new connections in it",
    },
  ];
}

/** L-6, second half: 500 keys cached, 500 at a registry that hangs. */
export async function halfHanging(
  setting: Setting,
  progress: (text: string) => void,
): Promise<Row[]> {
  progress("L-6 500 keys cached, 500 hanging");
  const images = await pushSigned(setting.registry, setting.signer, "half/app", 500);
  await using far = await startUnruly({ upstream: setting.registry });
  await using provider = await setting.provider({ registry: far });
  const caller = provider.caller();
  const cached = images.map(({ repository, digest }) => `${far.host}/${repository}@${digest}`);
  for (;;) {
    const { response } = await caller.ask(cached);
    if (response.response.items.length === cached.length) break;
  }
  far.on(/hanging/, silent());
  const hanging = cached.map((key) => key.replace("half/app", "half/hanging"));
  const began = performance.now();
  const { response } = await caller.ask([...cached, ...hanging]);
  const ms = performance.now() - began;
  const { length } = response.response.items;
  return [
    {
      id: "L-6",
      what: "1,000 keys, 500 of them cached, 500 at a registry that never answers",
      measured: `answered after ${ms.toFixed(0)} ms with ${length} items`,
      target: "at the deadline of 1.8 s, with 500 items",
      met: ms <= LATE_MS && length === 500,
      limit: "the deadline",
    },
  ];
}
