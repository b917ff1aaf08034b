import { Registry, Counter, Histogram } from "prom-client";
import pino from "pino";
const r = new Registry();
const c = new Counter({ name: "a_total", help: "x", labelNames: ["outcome", "reason"], registers: [r] });
const h = new Histogram({ name: "h", help: "x", labelNames: ["outcome", "cache"], buckets: [0.001,0.0025,0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,1.5,2,3,5,10], registers: [r] });
const cc = c.labels({ outcome: "verified", reason: "" });
const hc = h.labels({ outcome: "verified", cache: "hit" });
function bench(name: string, n: number, f: (i: number) => void) { for (let i = 0; i < n / 10; i++) f(i); const t = performance.now(); for (let i = 0; i < n; i++) f(i); const d = performance.now() - t; console.error(name, (d * 1e6 / n).toFixed(0), "ns"); }
bench("inc labels", 1e6, () => c.inc({ outcome: "verified", reason: "" }));
bench("inc child", 1e6, () => cc.inc());
bench("hist child", 1e6, (i) => hc.observe(i % 3 / 1000));
const dest = pino.destination({ fd: 1, sync: false, maxLength: 1 << 22 });
let drops = 0; dest.on("drop", () => drops++);
const log = pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } }, dest);
const key = "registry.example.com/team/app@sha256:" + "a".repeat(64);
bench("pino", 2e5, (i) => log.info({ key, digest: "sha256:" + "a".repeat(64), outcome: "verified", reason: undefined, policy: "default", level: "strict", cache: "hit", durationMs: 0.123 * i, request: "abcd-1" }, "decision"));
console.error("drops", drops);
