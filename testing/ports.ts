import { createServer } from "node:net";
import { listen } from "./loopback.ts";

/**
 * Ports of loopback that are free now, all different: for servers that cannot say which port they took.
 * Another process may take one before its server does; that server then ends, and says so.
 */
export async function freePorts<const Names extends readonly string[]>(
  ...names: Names
): Promise<Readonly<Record<Names[number], number>>> {
  const servers = await Promise.all(names.map(async () => await listen(createServer())));
  await Promise.all(servers.map(async ({ end }) => await end()));
  return Object.fromEntries(names.map((name, index) => [name, servers[index]?.port])) as Record<
    Names[number],
    number
  >;
}
