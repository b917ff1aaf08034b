// The service in this process, under an SDK of OpenTelemetry that keeps its spans in memory.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, suite, test } from "node:test";
import { context, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
} from "@opentelemetry/sdk-trace-base";
import { stringify } from "yaml";
import { createCaller, type Caller } from "../testing/gatekeeper/caller.ts";
import { createAuthorities } from "../testing/gatekeeper/certificates.ts";
import { startOlareg, type Olareg } from "../testing/registry/olareg.ts";
import { attachSignature, pushImage } from "../testing/registry/push.ts";
import { createAuthority } from "../testing/signing/authority.ts";
import { JWS, jws } from "../testing/signing/envelope.ts";
import { NOTATION } from "../testing/signing/notation.ts";
import { statement, writeTrust } from "../testing/signing/trust.ts";
import { loadConfig } from "./config/load.ts";
import { serve } from "./serve.ts";
import { createLog } from "./telemetry/log.ts";
import { createTracing } from "./telemetry/trace.ts";

const NAMES = { registries: [], regions: [] };
const PAGE = await readFile(new URL("../docs/tracing.md", import.meta.url), "utf8");

/** What a test reads of a span. */
interface Seen {
  readonly name: string;
  readonly within: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly isError: boolean;
}

suite("traces", () => {
  const spans = new InMemorySpanExporter();
  // Ended in the reverse order, however far the setting got.
  const parts = new AsyncDisposableStack();
  let registry: Olareg;
  let caller: Caller;
  let signed: string;

  before(async () => {
    assert.equal(await createTracing(NAMES), undefined);
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(
      new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }),
    );
    const directory = await mkdtemp(join(tmpdir(), "traces-"));
    parts.defer(async () => await rm(directory, { recursive: true, force: true }));
    registry = parts.use(await startOlareg({}));
    const authority = await createAuthority({ name: "trusted" });
    signed = await push("team/app", await authority.issue({ commonName: "team" }));
    writeTrust(join(directory, "trust"), {
      statements: [statement()],
      stores: { "ca:example": [authority.root] },
    });
    const { ca, serving, gatekeeper } = await createAuthorities();
    const files = new Map([
      ["tls.crt", serving.cert],
      ["tls.key", serving.key],
      ["ca.crt", gatekeeper.ca],
      ["provider.yaml", stringify(configuration())],
    ]);
    for (const [name, text] of files) await writeFile(join(directory, name), text);
    const loaded = loadConfig(join(directory, "provider.yaml"));
    assert.ok("config" in loaded, JSON.stringify(loaded));
    const { url, stop } = await serve(loaded.config, createLog({ level: "error" }));
    parts.defer(stop);
    caller = createCaller({ url, ca, cert: gatekeeper.cert, key: gatekeeper.key });
    parts.defer(async () => await caller.close());
  });
  after(async () => await parts.disposeAsync());

  const configuration = () => ({
    server: {
      address: "127.0.0.1:0",
      tls: { certificate: "tls.crt", key: "tls.key", clientCA: "ca.crt" },
      drainDelay: "0ms",
      deadline: "30s",
    },
    verification: { deadline: "60s" },
    admin: { address: "127.0.0.1:0" },
    trust: { directory: "trust" },
    notation: { binary: NOTATION },
    runtimeDirectory: "run",
    registries: [{ host: registry.host, plainHttp: true, allowedAddresses: ["127.0.0.0/8"] }],
  });

  const push = async (
    repository: string,
    signer?: Awaited<ReturnType<Awaited<ReturnType<typeof createAuthority>>["issue"]>>,
  ): Promise<string> => {
    const place = { registry, repository };
    const subject = await pushImage({ ...place, tag: "v1" });
    if (signer !== undefined) {
      const envelope = jws({ signer, subject });
      await attachSignature({ ...place, subject, mediaType: JWS, envelope });
    }
    return `${registry.host}/${repository}:v1`;
  };

  /** Spans that a request leaves. */
  const spansOf = async (keys: readonly string[], path = "/validate"): Promise<readonly Seen[]> => {
    spans.reset();
    await caller.ask(keys, { path });
    const found = spans.getFinishedSpans();
    return found.map((span) => seen(span, found));
  };

  test("a verification is a tree: request, key, what was asked of the registry, the run of Notation", async () => {
    const found = await spansOf([signed]);
    assert.deepEqual(
      [...new Set(found.map(({ name, within }) => `${within ?? ""} > ${name}`))].toSorted(),
      [
        " > validate",
        "validate > verify",
        "verify > notation verify",
        "verify > registry blob",
        "verify > registry manifest",
        "verify > registry referrers",
        "verify > registry subject",
      ],
    );
    const { attributes } = found.find(({ name }) => name === "verify") ?? {};
    assert.match(String(attributes?.["notation_provider.digest"]), /^sha256:/);
    assert.deepEqual(
      { ...attributes, "notation_provider.digest": "" },
      {
        "notation_provider.registry": registry.host,
        "notation_provider.outcome": "verified",
        "notation_provider.cache": "miss",
        "notation_provider.digest": "",
      },
    );
    assert.ok(found.every(({ isError }) => !isError));
  });

  test("what the cache answers is the request's span and no other", async () => {
    await caller.ask([signed]);
    const found = await spansOf([signed]);
    assert.deepEqual(found, [
      {
        name: "validate",
        within: undefined,
        attributes: {
          "notation_provider.keys": 1,
          "notation_provider.cached": 1,
          "notation_provider.verified": 1,
        },
        isError: false,
      },
    ]);
  });

  test("a tag that mutation resolves is within the request", async () => {
    const image = await push("team/pinned");
    const found = await spansOf([image], "/mutate");
    assert.deepEqual(
      found.map(({ name, within }) => [name, within]),
      [
        ["registry subject", "mutate"],
        ["mutate", undefined],
      ],
    );
  });

  test("an image that is refused is no error, one that nobody can tell of is", async () => {
    const unsigned = await push("team/unsigned");
    const refused = await spansOf([unsigned]);
    assert.ok(
      refused.every(({ isError }) => !isError),
      JSON.stringify(refused),
    );
    const unknown = await spansOf([`${signed}?policy=nobody`]);
    assert.ok(unknown.find(({ name }) => name === "validate")?.isError);
  });

  test("what is asked of AWS has spans, of regions that the configuration names and of no other text", async () => {
    const tracing = await createTracing({ registries: [], regions: ["eu-west-1"] });
    spans.reset();
    tracing?.observeAws({
      service: "signer",
      operation: "revocation",
      region: "hunter2",
      outcome: "denied",
      durationMs: 40,
    });
    tracing?.observeAws({
      service: "ecr",
      operation: "token",
      region: "eu-west-1",
      outcome: "ok",
      durationMs: 4,
    });
    const found = spans.getFinishedSpans();
    assert.deepEqual(
      found.map((span) => seen(span, found)),
      [
        {
          name: "signer revocation",
          within: undefined,
          attributes: {
            "notation_provider.outcome": "denied",
            "notation_provider.region": "other",
          },
          isError: true,
        },
        {
          name: "ecr token",
          within: undefined,
          attributes: {
            "notation_provider.outcome": "ok",
            "notation_provider.region": "eu-west-1",
          },
          isError: false,
        },
      ],
    );
    const [{ startTime, endTime } = { startTime: [0, 0], endTime: [0, 0] }] = found;
    assert.equal(
      Math.round((endTime[0] - startTime[0]) * 1e3 + (endTime[1] - startTime[1]) / 1e6),
      40,
    );
  });

  test("no span holds an image's name, a tag or a policy that nobody configured, and docs/tracing.md names every span and attribute", async () => {
    const secret = "hunter2-team/app";
    const found = [
      ...(await spansOf([`${registry.host}/${secret}:tag-hunter2?policy=hunter2`])),
      ...(await spansOf([`hunter2.example/${secret}:v1`, `${registry.host}/${secret}:hunter2`])),
      ...(await spansOf([`${registry.host}/${secret}:hunter2`], "/mutate")),
    ];
    assert.ok(found.length > 3);
    assert.doesNotMatch(JSON.stringify(found), /hunter2/);
    for (const { name, attributes } of found) {
      assert.ok(PAGE.includes(`\`${name}\``), name);
      for (const attribute of Object.keys(attributes)) {
        assert.ok(PAGE.includes(`\`${attribute.replace("notation_provider.", "")}\``), attribute);
      }
    }
  });
});

function seen(span: ReadableSpan, all: readonly ReadableSpan[]): Seen {
  const parent = all.find((other) => other.spanContext().spanId === span.parentSpanContext?.spanId);
  return {
    name: span.name,
    within: parent?.name,
    attributes: span.attributes,
    isError: span.status.code === SpanStatusCode.ERROR,
  };
}
