import assert from "node:assert/strict";
import { test } from "node:test";
import { plan, type Observed, type PlanSettings, type ProviderObject } from "./plan.ts";
import { bundleOf, type Pair, type State } from "./state.ts";

const DAY = 86_400_000;
const NOW = 1000 * DAY;
const settings: PlanSettings = {
  names: ["a.example"],
  jitter: 0,
  patienceMs: DAY,
  handoverMs: 5_000,
  overlapMs: DAY,
  deferenceMs: 10_000,
};

/** Days from now. */
const pair = (name: string, begins: number, ends: number): Pair => ({
  certificate: `certificate of ${name}\n`,
  key: `key of ${name}`,
  begins: NOW + begins * DAY,
  ends: NOW + ends * DAY,
});

const young = pair("ca", -10, 355);
/** Beyond two thirds of its life. */
const aging = pair("ca", -300, 65);
const next = pair("next", -0.1, 365);
const serving = { ...pair("leaf", -10, 80), names: ["a.example"] };

const stateOf = (members: Partial<State> = {}): State => ({
  authority: young,
  serving,
  ...members,
});

const providerOf = (members: Partial<ProviderObject> = {}): ProviderObject => ({
  name: "notation",
  version: "1",
  bundle: "",
  authorities: [],
  isIngested: true,
  ...members,
});

const YOUNG = { certificate: "certificate of somebody\n", ends: NOW + DAY };
const ENDED = { certificate: "certificate of the past\n", ends: NOW - 1 };

const found = (state: State) => ({ kind: "state" as const, state, version: "7" });
const trusting = (state: State, members: Partial<ProviderObject> = {}) =>
  providerOf({ bundle: bundleOf(state), authorities: [YOUNG], ...members });

const steady = stateOf();
const announced = stateOf({ authority: aging, next });
const former = { certificate: "certificate of former\n", until: NOW + DAY };

interface Case {
  readonly name: string;
  readonly observed: Partial<Observed>;
  readonly write: string | undefined;
  readonly repair?: readonly string[];
}

const cases: readonly Case[] = [
  {
    name: "nothing at all begins a CA",
    observed: { secret: { kind: "absent", forMs: 0 } },
    write: "begin",
  },
  {
    name: "a bundle of none but ended certificates is as good as none",
    observed: {
      secret: { kind: "absent", forMs: 0 },
      providers: [providerOf({ bundle: "old", authorities: [ENDED] })],
    },
    write: "begin",
  },
  {
    name: "who remembers nothing defers to who may, while a Provider trusts somebody",
    observed: { secret: { kind: "absent", forMs: 9_999 }, providers: [trusting(steady)] },
    write: undefined,
  },
  {
    name: "and begins when nobody came",
    observed: { secret: { kind: "absent", forMs: 10_000 }, providers: [trusting(steady)] },
    write: "begin",
  },
  {
    name: "a Secret that was deleted comes back with another CA to follow",
    observed: { secret: { kind: "absent", forMs: 0 }, remembered: steady },
    write: "replace",
  },
  {
    name: "a broken Secret is restored",
    observed: { secret: { kind: "broken", forMs: 0, version: "7" }, remembered: steady },
    write: "restore",
  },
  {
    name: "a broken Secret of which nobody knows more begins anew",
    observed: { secret: { kind: "broken", forMs: 0, version: "7" } },
    write: "begin",
  },
  {
    name: "but is left to who may know more, while a Provider trusts somebody",
    observed: {
      secret: { kind: "broken", forMs: 9_999, version: "7" },
      providers: [trusting(steady)],
    },
    write: undefined,
  },
  {
    name: "what is as it should be stays",
    observed: { secret: found(steady), providers: [trusting(steady)] },
    write: undefined,
  },
  {
    name: "a Provider that was edited is repaired",
    observed: {
      secret: found(steady),
      providers: [trusting(steady), providerOf({ name: "other", bundle: "foreign" })],
    },
    write: undefined,
    repair: ["other"],
  },
  {
    name: "a serving certificate is renewed after two thirds of its life",
    observed: { secret: found(stateOf({ serving: { ...serving, begins: NOW - 160 * DAY } })) },
    write: "renew",
  },
  {
    name: "and not before",
    observed: { secret: found(stateOf({ serving: { ...serving, begins: NOW - 159 * DAY } })) },
    write: undefined,
  },
  {
    name: "F-31 one that has ended is renewed",
    observed: { secret: found(stateOf({ serving: { ...serving, ends: NOW - DAY } })) },
    write: "renew",
  },
  {
    name: "one that ends with its CA is not renewed over and over",
    observed: {
      secret: found(
        stateOf({
          authority: aging,
          serving: { ...serving, ends: aging.ends, begins: aging.begins },
          next,
        }),
      ),
      providers: [providerOf()],
    },
    write: undefined,
    repair: ["notation"],
  },
  {
    name: "a name that is missing is added",
    observed: { secret: found(stateOf({ serving: { ...serving, names: ["b.example"] } })) },
    write: "renew",
  },
  {
    name: "a name of another replica's configuration stays",
    observed: {
      secret: found(stateOf({ serving: { ...serving, names: ["a.example", "b.example"] } })),
    },
    write: undefined,
  },
  {
    name: "a CA after two thirds of its life is given a successor",
    observed: { secret: found(stateOf({ authority: aging })) },
    write: "announce",
  },
  {
    name: "but not while the one before it is still trusted",
    observed: { secret: found(stateOf({ authority: aging, former })) },
    write: undefined,
  },
  {
    name: "F-30 the successor waits while a Provider does not name it",
    observed: {
      secret: found(announced),
      providers: [trusting(announced), providerOf({ name: "other", bundle: bundleOf(steady) })],
    },
    write: undefined,
    repair: ["other"],
  },
  {
    name: "F-30 the successor waits while Gatekeeper does not go by it",
    observed: {
      secret: found(announced),
      providers: [trusting(announced), trusting(announced, { isIngested: false })],
    },
    write: undefined,
  },
  {
    name: "F-30 the successor waits while calls go on that began before Gatekeeper went by it",
    observed: { secret: found(announced), providers: [trusting(announced)], trustedForMs: 4_999 },
    write: undefined,
  },
  {
    name: "F-30 it takes over when Gatekeeper goes by it",
    observed: { secret: found(announced), providers: [trusting(announced)], trustedForMs: 5_000 },
    write: "promote",
  },
  {
    name: "or after some time where Gatekeeper does not say",
    observed: {
      secret: found(stateOf({ next: pair("next", -1, 365) })),
      providers: [trusting(stateOf({ next: pair("next", -1, 365) }), { isIngested: false })],
    },
    write: "promote",
  },
  {
    name: "but never while a Provider does not name it",
    observed: {
      secret: found(stateOf({ next: pair("next", -1, 365) })),
      providers: [trusting(steady)],
    },
    write: undefined,
    repair: ["notation"],
  },
  {
    name: "or at once where no Provider calls",
    observed: { secret: found(announced) },
    write: "promote",
  },
  {
    name: "a successor takes over at once from a CA that has ended",
    observed: {
      secret: found(stateOf({ authority: pair("ca", -365, -1), next })),
      providers: [providerOf()],
    },
    write: "promote",
    repair: ["notation"],
  },
  {
    name: "a CA that has ended without a successor leaves nothing to preserve",
    observed: { secret: found(stateOf({ authority: pair("ca", -365, -1) })) },
    write: "begin",
  },
  {
    name: "a certificate that is not valid yet, made by a wrong clock, is replaced",
    observed: { secret: found(stateOf({ serving: { ...serving, begins: NOW + DAY } })) },
    write: "renew",
  },
  {
    name: "a CA that is not valid yet gets a successor, whatever it signed",
    observed: {
      secret: found(
        stateOf({ authority: pair("ca", 1, 366), serving: { ...serving, begins: NOW + DAY } }),
      ),
    },
    write: "announce",
  },
  {
    name: "a certificate is renewed though no Provider could be read",
    observed: {
      secret: found(stateOf({ serving: { ...serving, begins: NOW - 170 * DAY } })),
      providers: undefined,
    },
    write: "renew",
  },
  {
    name: "a CA does not take over while nobody can say whom Gatekeeper trusts",
    observed: { secret: found(announced), providers: undefined, trustedForMs: 5_000 },
    write: undefined,
  },
  {
    name: "nor is one begun",
    observed: { secret: { kind: "absent", forMs: 60_000 }, providers: undefined },
    write: undefined,
  },
  {
    name: "the CA before is trusted until its time is over",
    observed: { secret: found(stateOf({ former })) },
    write: undefined,
  },
  {
    name: "and not longer",
    observed: { secret: found(stateOf({ former: { ...former, until: NOW } })) },
    write: "retire",
  },
  {
    name: "it is by the time of a replica whose clock is ahead",
    observed: { secret: found(stateOf({ former: { ...former, until: NOW + 2 * DAY } })) },
    write: undefined,
  },
  {
    name: "and not for as long as somebody wrote by hand",
    observed: { secret: found(stateOf({ former: { ...former, until: NOW + 2 * DAY + 1 } })) },
    write: "retire",
  },
];

for (const { name, observed, write, repair = [] } of cases) {
  test(name, () => {
    const secret = found(steady);
    const planned = plan(
      { secret, providers: [], remembered: undefined, trustedForMs: 0, ...observed },
      NOW,
      settings,
    );
    assert.equal(planned.write?.kind, write);
    assert.deepEqual(
      planned.repair.map((provider) => provider.name),
      repair,
    );
    assert.ok(planned.write !== undefined || planned.againAt > NOW);
  });
}

test("who begins leaves those trusted whom Providers trust, each once, but nobody who has ended", () => {
  const providers = ["a", "b"].map((name) => providerOf({ name, authorities: [YOUNG, ENDED] }));
  const observed = { remembered: undefined, trustedForMs: 0, providers };
  const secret = { kind: "absent", forMs: settings.deferenceMs } as const;
  const { write } = plan({ ...observed, secret }, NOW, settings);
  assert.ok(write?.kind === "begin");
  assert.deepEqual(write.trusted, [YOUNG.certificate]);
});

test("a bundle names two CAs at the most, the one in force first", () => {
  const texts = [stateOf({ next }), stateOf({ former })].map((state) =>
    Buffer.from(bundleOf(state), "base64").toString(),
  );
  assert.deepEqual(texts, [
    "certificate of ca\ncertificate of next\n",
    "certificate of ca\ncertificate of former\n",
  ]);
});

test("replicas renew at different times", () => {
  const half = stateOf({ serving: { ...serving, begins: NOW - 165 * DAY } });
  const observed = {
    secret: found(half),
    providers: [],
    remembered: undefined,
    trustedForMs: 0,
  };
  const kinds = [0, 1].map((jitter) => plan(observed, NOW, { ...settings, jitter }).write?.kind);
  assert.deepEqual(kinds, ["renew", undefined]);
});
