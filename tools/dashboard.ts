// Writes the chart's Grafana dashboard from its table of panels: `node tools/dashboard.ts`.
import { writeFileSync } from "node:fs";
import { ROWS, type Panel, type Row } from "./dashboard-panels.ts";

export const DASHBOARD = new URL(
  "../helm/notation-gatekeeper-provider/files/dashboard.json",
  import.meta.url,
);

/** What the reader chose, in the place of `$s`. */
const CHOSEN = 'job=~"$job",pod=~"$pod"';

/** Grafana's grid has 24 columns. */
const WIDTH = 8;
const HEIGHT = 8;
const ACROSS = 24 / WIDTH;

/** Names of a panel's queries. */
const LETTERS = "ABCDEFGH";

const source = { type: "prometheus", uid: "${datasource}" };

interface Place {
  readonly x: number;
  readonly y: number;
}

/** Every panel below the title of its row, three beside each other. */
function panels(): readonly object[] {
  const placed: object[] = [];
  let y = 0;
  const add = (panel: object): void => void placed.push({ id: placed.length + 1, ...panel });
  for (const row of ROWS) {
    add(titleOf(row, y));
    for (const [index, panel] of row.panels.entries()) {
      const place = {
        x: (index % ACROSS) * WIDTH,
        y: y + 1 + Math.floor(index / ACROSS) * HEIGHT,
      };
      add(panelOf(panel, place));
    }
    y += 1 + Math.ceil(row.panels.length / ACROSS) * HEIGHT;
  }
  return placed;
}

const titleOf = ({ title }: Row, y: number): object => ({
  type: "row",
  title,
  collapsed: false,
  gridPos: { x: 0, y, w: 24, h: 1 },
  panels: [],
});

const panelOf = ({ title, about, unit, queries, now }: Panel, { x, y }: Place): object => ({
  type: now === true ? "stat" : "timeseries",
  title,
  description: about,
  datasource: source,
  gridPos: { x, y, w: WIDTH, h: HEIGHT },
  fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
  options:
    now === true
      ? { reduceOptions: { calcs: ["lastNotNull"] }, textMode: "value_and_name" }
      : { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
  targets: queries.map(({ expr, legend }, index) => ({
    refId: LETTERS.charAt(index),
    datasource: source,
    expr: expr.replaceAll("$s", CHOSEN),
    legendFormat: legend,
    instant: now === true,
    range: now !== true,
  })),
});

/** A choice among the values of a label. */
const choice = (label: string, among: string): object => ({
  type: "query",
  name: label,
  label,
  datasource: source,
  query: {
    query: `label_values(notation_provider_build_info${among}, ${label})`,
    refId: label,
  },
  refresh: 2,
  includeAll: true,
  multi: true,
  current: { text: "All", value: "$__all" },
});

/** The whole file. The alerts' names and labels know nothing of it, so it fits any release. */
export const dashboard = (): string =>
  `${JSON.stringify(
    {
      uid: "notation-provider",
      title: "Notation provider",
      tags: ["gatekeeper", "notation"],
      schemaVersion: 39,
      editable: false,
      time: { from: "now-3h", to: "now" },
      refresh: "30s",
      templating: {
        list: [
          { type: "datasource", name: "datasource", label: "source", query: "prometheus" },
          choice("job", ""),
          choice("pod", '{job=~"$job"}'),
        ],
      },
      panels: panels(),
    },
    null,
    2,
  )}\n`;

if (import.meta.main) writeFileSync(DASHBOARD, dashboard());
