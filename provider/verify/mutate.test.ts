import assert from "node:assert/strict";
import { test } from "node:test";
import { undecided } from "../verdict/verdict.ts";
import type { Pin } from "./decision.ts";
import { createWorld, D1, D2, never, settle } from "../../testing/verify/world.ts";

/** The image to run, or the reason why there is none. */
const saidOf = ({ result }: Pin): string =>
  result.kind === "pinned" ? result.image : result.reason;

const PINS = [
  { name: "a tag is pinned to its digest and kept", key: "r.io/a:v1", want: `r.io/a:v1@${D1}` },
  {
    name: "an image without a tag is pinned as latest",
    key: "r.io/a",
    want: `r.io/a:latest@${D2}`,
  },
  {
    name: "a short name is pinned by its whole name, which every runtime reads alike",
    key: "nginx",
    want: `docker.io/library/nginx:latest@${D2}`,
  },
  {
    name: "another name of Docker Hub becomes the usual one",
    key: "index.docker.io/library/nginx:latest",
    want: `docker.io/library/nginx:latest@${D2}`,
  },
  {
    name: "an image with a digest stays as it is",
    key: `r.io/a:v1@${D2}`,
    want: `r.io/a:v1@${D2}`,
  },
  { name: "an image of another registry stays as it is", key: "other.io/a", want: "other.io/a" },
  { name: "an image that is not there is refused", key: "r.io/a:gone", want: "IMAGE_NOT_FOUND" },
  {
    name: "an option is no part of an image to run",
    key: "r.io/a:v1?level=audit",
    want: "INVALID_REFERENCE",
  },
  { name: "an empty image is refused", key: "", want: "INVALID_REFERENCE" },
];
for (const { name, key, want } of PINS) {
  test(`mutation: ${name}`, async () => {
    const { verifier, tags } = createWorld();
    tags.set("r.io/a:latest", D2).set("docker.io/library/nginx:latest", D2);
    assert.deepEqual((await verifier.pin([key, key], never)).map(saidOf), [want]);
  });
}

test("mutation: the tag can be left out", async () => {
  const { verifier } = createWorld({ keepTag: false });
  assert.deepEqual((await verifier.pin(["r.io/a:v1"], never)).map(saidOf), [`r.io/a@${D1}`]);
});

test("mutation: a tag that was resolved for a verdict is not asked for again, and the other way round", async () => {
  const { verifier, ask, calls } = createWorld();
  await ask("r.io/a:v1");
  await verifier.pin(["r.io/a:v1"], never);
  assert.deepEqual(calls, { subject: 1, collect: 1, judge: 1 });
});

test("mutation: at the deadline late keys are TIMEOUT and the others pinned", async () => {
  const { verifier, parts, time } = createWorld();
  await verifier.pin(["r.io/a:v1"], never);
  const { promise, resolve } = Promise.withResolvers<void>();
  parts.network = async () => await promise;
  const asked = verifier.pin(["r.io/b:v1", "r.io/a:v1"], never);
  await settle();
  assert.equal(verifier.stats().waiting, 1);
  time.pass(1800);
  assert.deepEqual((await asked).map(saidOf), ["TIMEOUT", `r.io/a:v1@${D1}`]);
  resolve();
  await settle();
  assert.equal(time.timers.size, 0);
});

test("mutation: beyond the bound on waiting keys the rest is OVERLOADED", async () => {
  const { verifier, tags } = createWorld({ maxWaiting: 1 });
  tags.set("r.io/b:v1", D2);
  const pins = await verifier.pin(["r.io/a:v1", "r.io/b:v1"], never);
  assert.deepEqual(pins.map(saidOf), [`r.io/a:v1@${D1}`, "OVERLOADED"]);
});

test("mutation: a registry that cannot be asked leaves the key undecided and is asked again", async () => {
  const { verifier, parts } = createWorld();
  parts.failure = undecided("REGISTRY_UNREACHABLE", "no answer");
  assert.deepEqual((await verifier.pin(["r.io/a:v1"], never)).map(saidOf), [
    "REGISTRY_UNREACHABLE",
  ]);
  parts.failure = undefined;
  assert.deepEqual((await verifier.pin(["r.io/a:v1"], never)).map(saidOf), [`r.io/a:v1@${D1}`]);
});

for (const part of ["allows", "network"] as const) {
  test(`T-56 mutation: a throw of the registry's ${part} leaves the key undecided and is reported`, async () => {
    const { verifier, parts, events } = createWorld();
    parts[part] = () => {
      throw new TypeError("a bug");
    };
    assert.deepEqual((await verifier.pin(["r.io/a:v1", ""], never)).map(saidOf), [
      "INTERNAL_ERROR",
      "INVALID_REFERENCE",
    ]);
    assert.equal(events.length, 1);
    assert.equal(verifier.stats().waiting, 0);
  });
}
