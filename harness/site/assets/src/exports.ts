// The rows shown, as CSV, JSON and Markdown. Text from servers and clients stays text in all of them.
import { Cells, cellId, resultOf, runOf, Table, valueOf } from "./cells";
import { cellAddress, Index } from "./data";
import { placeOf } from "./cells";

const COLUMNS = ["cell", "build", "scenario", "service", "client", "offer", "outcome", "protocol", "cipher", "stage", "reason",
  "decided_by", "agree", "differs", "run", "address"] as const;
type Fact = string | boolean | number | null;

function factsOf(cells: Cells, cell: number): Record<(typeof COLUMNS)[number], Fact> {
  const result = resultOf(cells, cell);
  const build = valueOf(cells, "build", cell);
  return {
    cell: cellId(cells, cell), build, scenario: cells.facts.scenario, service: valueOf(cells, "service", cell),
    client: valueOf(cells, "client", cell), offer: valueOf(cells, "offer", cell), outcome: result.outcome,
    protocol: result.protocol ?? null, cipher: result.cipher ?? null, stage: result.stage ?? null,
    reason: result.reason ?? null, decided_by: result.decided_by ?? null, agree: result.agree ?? null,
    differs: { "*": true, "=": false }[cells.standing[cell]] ?? null, run: runOf(cells, cell),
    address: cellAddress(build, cells.facts.scenario, placeOf(cells, cell)),
  };
}

const shownCells = (table: Table): number[] => table.rows.flatMap((row) => [...row.cells].filter((cell) => cell >= 0));

/** A field of CSV (RFC 4180); an apostrophe keeps a spreadsheet from reading it as a formula. */
function csvField(value: Fact): string {
  let text = value === null ? "" : String(value);
  if (/^[=+\-@\t\r]/.test(text)) text = `'${text}`;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function toCsv(cells: Cells, table: Table): string {
  const lines = shownCells(table).map((cell) => {
    const facts = factsOf(cells, cell);
    return COLUMNS.map((column) => csvField(facts[column])).join(",");
  });
  return [COLUMNS.join(","), ...lines, ""].join("\r\n");
}

export function toJson(cells: Cells, table: Table, index: Index): string {
  return JSON.stringify({
    schema: 1, address: location.href, generated_at: index.generated_at, licence: index.licence,
    citation: index.citation ?? null, scenario: cells.facts.scenario, title: cells.facts.title,
    cells: shownCells(table).map((cell) => factsOf(cells, cell)),
  }, null, 1) + "\n";
}

/** Text of one table cell in Markdown: no character of it is markup or ends the cell. */
const markdownText = (text: string): string =>
  text.replace(/[\r\n]+/g, " ").replace(/[\\`*_{}[\]()#+!|~]/g, "\\$&").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

export function toMarkdown(cells: Cells, table: Table, heads: string[]): string {
  const lines: string[] = [`**${markdownText(cells.facts.title)}** (${markdownText(cells.facts.scenario)})`, ""];
  let last = "";
  for (const row of table.rows) {
    const group = row.group.join(", ");
    if (group !== last) {
      if (last) lines.push("");
      lines.push(`${markdownText(group)}:`, "", `| ${[table.axis === "clients" ? "client" : "build", ...heads].map(markdownText).join(" | ")} |`,
        `|${"---|".repeat(heads.length + 1)}`);
      last = group;
    }
    const texts = [...row.cells].map((cell) => (cell < 0 ? "" : resultOf(cells, cell).label + (cells.standing[cell] === "*" ? " *" : "")));
    lines.push(`| ${[row.name, ...texts].map(markdownText).join(" | ")} |`);
  }
  const long = table.offers.map((offer, at) => [heads[at], offer]).filter(([head, offer]) => head !== offer);
  if (long.length) lines.push("", ...long.map(([head, offer]) => `- ${markdownText(head)}: ${markdownText(offer)}`));
  lines.push("", `From ${location.href.replace(/[<>]/g, encodeURIComponent)}`, "");
  return lines.join("\n");
}

/** Offer a text as a download. */
export function download(name: string, type: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
