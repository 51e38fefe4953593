// What GitHub's own toolkit prints for annotations: usage: node print_commands.mjs NODE_MODULES CASES
// CASES is a JSON list of {level, message, title, file, line}; file and line may be absent.
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, cases] = process.argv.slice(2);
const file = join(resolve(modules), "@actions/core/lib/core.js");
const core = await import(pathToFileURL(file).href);
for (const { level, message, title, file, line } of JSON.parse(cases)) {
  core[level](message, { title, file, startLine: line });
}
