#!/usr/bin/env node
// The command line: what there is, and nothing of how it is done. Each command is loaded when it is asked for.
import { inspect } from "node:util";
import { Argument, Command, Option } from "commander";
import type { DoctorOptions } from "./commands/doctor.ts";
import { packageVersion } from "./commands/package-version.ts";
import type { VerifyOptions } from "./commands/verify.ts";

const program = new Command("notation-provider")
  .description("Gatekeeper external-data provider that verifies image signatures with Notation")
  .version(packageVersion(), "--version")
  .option("--debug", "print where an error came from")
  // Wrong usage is 2, so that it is told apart from an image that was not verified.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));

const finish = (code: number): void => {
  process.exitCode = code;
};

program
  .command("serve")
  .description("serve Gatekeeper until SIGTERM")
  .requiredOption("--config <file>", "configuration file, YAML")
  .action(async ({ config }: { config: string }) => {
    const { serveCommand } = await import("./commands/serve.ts");
    // What is left, such as idle connections to registries, is nothing to wait for.
    process.exit(await serveCommand(config));
  });

program
  .command("verify")
  .description("verify images as the service would; exit code 0 only if all are verified")
  .addArgument(new Argument("<image...>", "images, by tag or digest"))
  .requiredOption("--config <file>", "configuration file, YAML")
  .option("--policy <name>", "trust policy to verify under")
  .addOption(
    new Option("--level <level>", "level to verify at").choices(["strict", "permissive", "audit"]),
  )
  .addOption(
    new Option("--output <form>", "form of the output").choices(["table", "json"]).default("table"),
  )
  .action(async (images: string[], options: VerifyOptions) => {
    const { verifyCommand } = await import("./commands/verify.ts");
    finish(await verifyCommand(images, options));
  });

program
  .command("doctor")
  .description(
    "try everything that the configuration names, look for what in the cluster admits images unverified, and say what to fix",
  )
  .option("--config <file>", "configuration file, YAML")
  .option("--cluster", "look at the cluster's Gatekeeper, by list alone")
  .option("--kubeconfig <file>", "of the cluster; without it the Pod's own service account")
  .option("--gatekeeper-namespace <name>", "where Gatekeeper runs", "gatekeeper-system")
  .addOption(
    new Option("--output <form>", "form of the output").choices(["table", "json"]).default("table"),
  )
  .action(async (options: DoctorOptions, command: Command) => {
    if (options.config === undefined && options.cluster === undefined) {
      command.error("error: doctor looks at --config, at --cluster, or at both");
    }
    const { doctorCommand } = await import("./commands/doctor.ts");
    // What was too late is nothing to wait for.
    process.exit(await doctorCommand(options));
  });

program
  .command("config")
  .description("look at a configuration")
  .command("check")
  .description("print every problem of the configuration and of the trust directory it names")
  .addArgument(new Argument("<file>", "configuration file, YAML"))
  .action(async (file: string) => {
    const { checkCommand } = await import("./commands/check.ts");
    finish(await checkCommand(file));
  });

program
  .command("plugin")
  .description(
    "be AWS Signer's verification plugin for a Notation CLI, as notation-com.amazonaws.signer.notation.plugin",
  )
  .addArgument(new Argument("<command>", "what Notation asks for"))
  .action(async (command: string) => {
    const { runPlugin } = await import("./signer/standalone.ts");
    const { code, text } = await runPlugin(command, process.stdin);
    (code === 0 ? process.stdout : process.stderr).write(text);
    finish(code);
  });

program
  .command("version")
  .description("print the versions of the provider, of Node, and of Notation")
  .option("--config <file>", "configuration file that names the Notation binary")
  .action(async ({ config }: { config?: string }) => {
    const { versionCommand } = await import("./commands/version.ts");
    finish(await versionCommand(config));
  });

// A reader that went away, such as `head`, wants no more, and no complaint.
process.stdout.on("error", () => process.exit(1));

try {
  await program.parseAsync();
} catch (error) {
  const isDebug = program.opts<{ debug?: true }>().debug === true;
  const sentence = error instanceof Error ? error.message : String(error);
  const text = isDebug ? inspect(error) : sentence.split("\n", 1)[0];
  process.stderr.write(`error: ${text}\n`);
  process.exitCode = 1;
}
