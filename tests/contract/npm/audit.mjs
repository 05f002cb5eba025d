// Runs every audit of graphql-http against the address given, and prints one JSON object a line.
// Packages are looked up from the working directory, which is where requirements/npm.sh installed them.
import { createRequire } from "node:module";

const require = createRequire(process.cwd() + "/");
const { serverAudits } = require("graphql-http");

for (const audit of serverAudits({ url: process.argv[2] })) {
  const result = await audit.fn();
  const { id, name, status } = result;
  console.log(JSON.stringify({ id, name, status, reason: result.reason ?? null }));
}
