import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parser } from "@prometheus-io/lezer-promql";
import { parse } from "yaml";
import { createMetrics } from "../provider/telemetry/metrics.ts";
import { ROWS } from "./dashboard-panels.ts";
import { dashboard, DASHBOARD } from "./dashboard.ts";

const at = (path: string): URL => new URL(`../${path}`, import.meta.url);

interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

const ALERTS = parse(
  readFileSync(at("helm/notation-gatekeeper-provider/files/alerts.yaml"), "utf8"),
) as readonly Alert[];

const SHOWN = ROWS.flatMap(({ panels }) =>
  panels.flatMap(({ title, queries }) => queries.map(({ expr }) => ({ title, expr }))),
);

/** Every expression, as Prometheus gets it. */
const EXPRESSIONS = [
  ...SHOWN.map(({ title, expr }) => ({
    name: `panel ${title}`,
    expr: expr.replaceAll("$s", 'job=~"a",pod=~"b"').replaceAll("$__rate_interval", "5m"),
  })),
  ...ALERTS.map(({ alert, expr }) => ({
    name: alert,
    expr: expr.replaceAll("JOB", "job").replaceAll(/DEADLINE|SERVING|AUTHORITY/g, "1.8"),
  })),
];

/** What `/metrics` names: a family, or the three series of a histogram. */
const exposed = new Set<string>();
const labelsOf = new Map<string, Set<string>>();
const text = await createMetrics({
  registries: ["registry.example"],
  regions: ["eu-west-1"],
}).text();
for (const [, name = "", type = ""] of text.matchAll(/^# TYPE (\w+) (\w+)$/gm)) {
  const series = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  for (const ending of series) exposed.add(`${name}${ending}`);
}
const page = readFileSync(at("docs/metrics.md"), "utf8");
for (const [, name = "", , labels = ""] of page.matchAll(/^\| (\w+) +\| (\w+) +\|([^|]*)\|/gm)) {
  labelsOf.set(name, new Set(labels.split(",").map((label) => label.trim())));
}

/** Labels that Prometheus adds to whatever it scrapes, and that of a histogram's series. */
const ADDED = ["job", "pod", "instance", "le"];

test("the chart's dashboard is as its table of panels is (node tools/dashboard.ts)", () =>
  assert.equal(readFileSync(DASHBOARD, "utf8"), dashboard()));

for (const { name, expr } of EXPRESSIONS) {
  test(`${name}: the expression is PromQL, of metrics and labels that /metrics has: ${expr}`, () => {
    const selectors: { metric: string; labels: string[] }[] = [];
    const groupings: string[] = [];
    parser.parse(expr).iterate({
      enter({ type, from, to, node }) {
        assert.ok(!type.isError, `no PromQL at ${from}: ${expr.slice(from)}`);
        const said = expr.slice(from, to);
        if (type.name === "VectorSelector") selectors.push({ metric: "", labels: [] });
        if (type.name === "Identifier" && node.parent?.name === "VectorSelector") {
          const last = selectors.at(-1);
          if (last !== undefined) last.metric = said;
        }
        if (type.name === "LabelName" && node.parent?.name === "GroupingLabels")
          groupings.push(said);
        else if (type.name === "LabelName") selectors.at(-1)?.labels.push(said);
      },
    });
    assert.ok(selectors.length > 0);
    const known = new Set(ADDED);
    for (const { metric, labels } of selectors) {
      if (metric === "up") continue;
      assert.ok(exposed.has(metric), metric);
      const own = labelsOf.get(metric.replace(/_(?:bucket|sum|count)$/, "")) ?? new Set();
      for (const label of own) known.add(label);
      for (const label of labels) {
        assert.ok(own.has(label) || ADDED.includes(label), `${metric} has no label ${label}`);
      }
    }
    for (const label of groupings) assert.ok(known.has(label), `no metric has a label ${label}`);
  });
}

test("every metric of ours is on the dashboard", () => {
  const shown = SHOWN.map(({ expr }) => expr).join("\n");
  const unseen = [...exposed]
    .map((name) => name.replace(/_(?:bucket|sum|count)$/, ""))
    .filter((name) => name.startsWith("notation_provider_"))
    .filter((name) => !new RegExp(`\\b${name}(?:_bucket|_sum|_count)?\\b`).test(shown));
  assert.deepEqual(unseen, []);
});

const kebab = (name: string): string => name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "-").toLowerCase();

test("every alert has its page in docs/runbooks, and every page its alert", () => {
  assert.deepEqual(
    readdirSync(at("docs/runbooks")).toSorted(),
    ALERTS.map(({ alert }) => `${kebab(alert)}.md`).toSorted(),
  );
});

for (const { alert, annotations, labels, ...rest } of ALERTS) {
  test(`${alert} says for how long, how grave and what; its page says what it means, what to look at and what to do`, () => {
    assert.match(rest.for, /^\d+m$/);
    assert.match(labels.severity, /^(?:warning|critical)$/);
    assert.ok(annotations.summary.endsWith("."));
    const runbook = readFileSync(at(`docs/runbooks/${kebab(alert)}.md`), "utf8");
    assert.ok(runbook.startsWith(`# ${alert}\n`));
    for (const part of ["What it means.", "What to look at.", "What to do."]) {
      assert.ok(runbook.includes(`**${part}**`), part);
    }
    for (const [, query = ""] of runbook.matchAll(/^```promql\n(.*?)^```$/gms)) {
      for (const line of query.trim().split("\n")) {
        let isPromql = true;
        parser.parse(line).iterate({ enter: ({ type }) => void (isPromql &&= !type.isError) });
        assert.ok(isPromql, line);
      }
      for (const [metric] of query.matchAll(/\b(?:notation_provider|nodejs|process)_\w+/g)) {
        assert.ok(exposed.has(metric), metric);
      }
    }
  });
}
