// Composes subgraphs with the standard tool: {"name": "SDL", ...} on standard input, the public schema on standard
// output, or what does not compose on standard error.
import { composeServices } from "@theguild/federation-composition";
import { parse } from "graphql";
import { text } from "node:stream/consumers";

const subgraphs = JSON.parse(await text(process.stdin));
const services = Object.entries(subgraphs).map(([name, sdl]) => ({
  name,
  url: `http://127.0.0.1/subgraphs/${name}`,
  typeDefs: parse(sdl),
}));
const composed = composeServices(services);
if (composed.errors?.length) {
  console.error(composed.errors.map((error) => error.message).join("\n"));
  process.exit(1);
}
process.stdout.write(composed.publicSdl);
