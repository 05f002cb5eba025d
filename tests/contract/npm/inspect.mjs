// Prints every change from one schema file to another as graphql-inspector sees it, as one JSON list.
// Packages are looked up from the working directory, which is where requirements/npm.sh installed them.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { buildSchema } = require("graphql");
const { diff } = require("@graphql-inspector/core");

const [before, after] = process.argv.slice(2).map((path) => buildSchema(readFileSync(path, "utf8")));
const changes = await diff(before, after);
console.log(
  JSON.stringify(changes.map(({ type, path, message, criticality }) => ({ type, path, message, level: criticality.level }))),
);
