// Shows one AsyncAPI document to the official parser and fails on every error or warning it has.
// Usage: node validate.mjs DOCUMENT.json
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const SEVERITY = ["error", "warning", "information", "hint"];
const [path] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(readFileSync(path, "utf8"));

// The parser's advice ("a newer version of the specification is out") is shown and does not fail the check.
const failing = diagnostics.filter((finding) => finding.severity < 2);
for (const { severity, path: where, message } of diagnostics) {
  console.error(`asyncapi: ${SEVERITY[severity]} at ${where.join(".") || "the root"}: ${message}`);
}
if (document === undefined || failing.length > 0) {
  console.error("asyncapi: the document is not valid");
  process.exit(1);
}
const channels = document.channels().all().length;
const operations = document.operations().all().length;
const messages = document.messages().all().length;
console.log(`asyncapi: valid ${document.version()}: ${channels} channels, ${operations} operations, ${messages} messages`);
