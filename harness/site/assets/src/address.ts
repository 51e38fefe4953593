// The selection as the address's query, and back. Other parameters of the query stay as they are.
import { Cells, emptySelection, FACETS, RowAxis, Selection } from "./cells";

/** The selection that an address names, and in words what of it is unknown here. */
export function readSelection(query: URLSearchParams, cells: Cells, rows: RowAxis): { selection: Selection; unknown: string[] } {
  const selection = emptySelection(rows);
  const unknown: string[] = [];
  for (const facet of FACETS) {
    const chosen = new Set<number>();
    for (const name of query.getAll(facet)) {
      const value = cells.values[facet].indexOf(name);
      if (value >= 0) chosen.add(value);
      else unknown.push(`the ${facet} “${name}”`);
    }
    selection.chosen[facet] = chosen;
  }
  const axis = query.get("rows");
  if (axis === "clients" || axis === "builds") selection.rows = axis;
  else if (axis !== null) unknown.push(`rows “${axis}”`);
  selection.text = query.get("q") ?? "";
  selection.differs = query.get("differs") === "yes" && cells.facts.baseline !== null;
  selection.disagrees = query.get("disagrees") === "yes";
  return { selection, unknown };
}

/** The query with this selection. */
export function writeSelection(query: URLSearchParams, cells: Cells, selection: Selection, rows: RowAxis): URLSearchParams {
  const written = new URLSearchParams(query);
  for (const name of [...FACETS, "rows", "q", "differs", "disagrees"]) written.delete(name);
  for (const facet of FACETS) {
    for (const value of [...selection.chosen[facet]].sort((a, b) => a - b)) written.append(facet, cells.values[facet][value]);
  }
  if (selection.rows !== rows) written.set("rows", selection.rows);
  if (selection.text.trim()) written.set("q", selection.text);
  if (selection.differs) written.set("differs", "yes");
  if (selection.disagrees) written.set("disagrees", "yes");
  return written;
}

/** Put a query into the address bar: as a step that Back undoes, or in place of what is there. */
export function showQuery(query: URLSearchParams, how: "push" | "replace"): void {
  const text = query.toString();
  const address = location.pathname + (text ? `?${text}` : "") + location.hash;
  if (address === location.pathname + location.search + location.hash) return;
  history[how === "push" ? "pushState" : "replaceState"](null, "", address);
}
