// Does GitHub's artifact storage take a folder? usage: node check_artifact_paths.mjs NODE_MODULES FOLDER
// @actions/artifact decides, with the code that actions/upload-artifact runs on each path.
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, folder] = process.argv.slice(2).map((path) => resolve(path));
const inside = join(modules, "@actions/artifact/lib/internal/upload/upload-zip-specification.js");
const { getUploadZipSpecification } = await import(pathToFileURL(inside).href);

const files = readdirSync(folder, { recursive: true })
  .map((name) => join(folder, name))
  .filter((path) => statSync(path).isFile());
try {
  const entries = getUploadZipSpecification(files, folder);
  console.log(`${entries.length} files`);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
