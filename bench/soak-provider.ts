// The service as `notation-provider serve` starts it, but on clocks by which hours pass in minutes: what it keeps grows old on them,
// deadlines and time-outs stay in real time. On SIGUSR2 it collects garbage, so that what is left is what is held.
// `node --expose-gc bench/soak-provider.ts FACTOR EPOCH CONFIG`, see clock.ts.
import process from "node:process";
import { serveCommand } from "../provider/commands/serve.ts";
import { acceleratedAges } from "./clock.ts";

process.on("SIGUSR2", () => globalThis.gc?.());
const [factor, epoch, file = ""] = process.argv.slice(2);
process.exit(await serveCommand(file, acceleratedAges(Number(factor), Number(epoch))));
