// Bundles src/main.tsx with the packages it uses (scripts/site-assets calls this, in the folder with node_modules):
//   node bundle.mjs FOLDER    writes FOLDER/site.js and FOLDER/licences.txt
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const [, , target] = process.argv;
const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));

// tests/unit/site/test_assets.py computes the same of the sources.
const digest = createHash("sha256");
for (const name of ["package.json", "package-lock.json", ...readdirSync("src").sort().map((file) => join("src", file))]) {
  digest.update(`${name}\n`).update(readFileSync(name));
}

const packages = Object.keys(dependencies).sort();
const about = packages.map((name) => {
  const folder = join("node_modules", name);
  const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`${name} has no file with its licence`);
  return { name, version, license, text: readFileSync(join(folder, file), "utf8").trim() };
});

await build({
  entryPoints: ["src/main.tsx"],
  outfile: join(target, "site.js"),
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  charset: "utf8",
  define: { "process.env.NODE_ENV": '"production"' },
  banner: {
    js: `/* postfix-matrix, Apache-2.0. Bundled by scripts/site-assets from src/ (SHA-256 ${digest.digest("hex")}) with `
      + `${about.map(({ name, version }) => `${name} ${version}`).join(", ")}; their licences: licences.txt */`,
  },
});
const heading = "site.js contains these packages. Each is under its own licence, below.\n";
const texts = about.map(({ name, version, license, text }) =>
  `${"-".repeat(78)}\n${name} ${version} (${license})\n${"-".repeat(78)}\n\n${text}\n`);
writeFileSync(join(target, "licences.txt"), [heading, ...texts].join("\n"));
