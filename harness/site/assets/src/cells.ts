// The cells of a scenario in columns, what a selection leaves of them, and the table that they make.
// 100,000 cells are counted in a few milliseconds, since a cell is one place in typed arrays.
import { Facts, Index, NOT_MEASURED, Result } from "./data";

export const FACETS = ["service", "build", "client", "offer", "outcome"] as const;
export type Facet = (typeof FACETS)[number];
export type RowAxis = "clients" | "builds";

export interface Cells {
  facts: Facts;
  /** The values of each facet, by number. */
  values: Record<Facet, string[]>;
  /** For each cell, the number of its value. */
  of: Record<Facet, Uint16Array>;
  /** Index of `facts.results`; -1: planned and not measured. */
  result: Int32Array;
  /** The character of `facts.standing`. */
  standing: string[];
  disagrees: Uint8Array;
  count: number;
}

/** What a reader chose; nothing chosen on a facet means all of it. */
export interface Selection {
  chosen: Record<Facet, ReadonlySet<number>>;
  text: string;
  differs: boolean;
  disagrees: boolean;
  rows: RowAxis;
}

export interface Counts {
  /** The cells that pass everything, in the order of `Cells`. */
  shown: number[];
  /** For each value of a facet: cells that would be shown if that facet alone allowed this value. */
  facets: Record<Facet, Uint32Array>;
  differs: number;
  disagrees: number;
  uncompared: number;
}

export const emptySelection = (rows: RowAxis): Selection => ({
  chosen: Object.fromEntries(FACETS.map((facet) => [facet, new Set<number>()])) as unknown as Selection["chosen"],
  text: "", differs: false, disagrees: false, rows,
});

/** The cells of a scenario's facts, of one build or client only where it is named. */
export function readCells(facts: Facts, only: { build?: string; client?: string }): Cells {
  const at: [number, number][] = [];
  facts.builds.forEach((build, b) => {
    if (only.build !== undefined && build !== only.build) return;
    facts.places.forEach(([, client], p) => {
      if (facts.cells[b][p] === -2) return;
      if (only.client === undefined || facts.clients[client] === only.client) at.push([b, p]);
    });
  });
  const outcomes = [...new Set([...facts.results.map((result) => result.outcome), NOT_MEASURED])];
  const outcomeOf = facts.results.map((result) => outcomes.indexOf(result.outcome));
  const column = (value: (b: number, p: number) => number) => Uint16Array.from(at, ([b, p]) => value(b, p));
  const result = Int32Array.from(at, ([b, p]) => facts.cells[b][p]);
  return {
    facts, result, count: at.length,
    values: { build: facts.builds, service: facts.services, client: facts.clients, offer: facts.offers, outcome: outcomes },
    of: {
      build: column((b) => b),
      service: column((_, p) => facts.places[p][0]),
      client: column((_, p) => facts.places[p][1]),
      offer: column((_, p) => facts.places[p][2]),
      outcome: Uint16Array.from(result, (index) => (index < 0 ? outcomes.length - 1 : outcomeOf[index])),
    },
    standing: at.map(([b, p]) => facts.standing[b]?.[p] ?? "."),
    disagrees: Uint8Array.from(result, (index) => Number(index >= 0 && facts.results[index].agree === false)),
  };
}

const NOT_MEASURED_RESULT: Result = { outcome: NOT_MEASURED, label: "?", sentence: "not measured" };
export const resultOf = (cells: Cells, cell: number): Result =>
  cells.result[cell] < 0 ? NOT_MEASURED_RESULT : cells.facts.results[cells.result[cell]];

export const valueOf = (cells: Cells, facet: Facet, cell: number): string =>
  cells.values[facet][cells.of[facet][cell]];

/** The text of each axis value that a search looks at: ids, titles, aliases. */
export function searchTexts(cells: Cells, index: Index): Record<Facet, string[]> {
  const text = (...parts: (string | string[] | undefined)[]) => parts.flat().filter(Boolean).join(" ").toLowerCase();
  const find = <T extends { id: string }>(list: T[], id: string): Partial<T> => list.find((item) => item.id === id) ?? {};
  return {
    build: cells.values.build.map((id) => {
      const build = find(index.builds, id);
      return text(id, build.title, build.notes);
    }),
    client: cells.values.client.map((id) => {
      const client = find(index.clients, id);
      return text(id, client.library, client.aliases); // not what it can offer: that is another axis
    }),
    offer: cells.values.offer.map((id) => text(id, find(index.offers, id).title)),
    service: cells.values.service.map((id) => text(id, find(index.services, id).title)),
    outcome: cells.values.outcome.map((id) => text(id, index.outcomes[id]?.title)),
  };
}

/** Which cells have all words of the text among their axes; null: no text, so all. */
function matchText(cells: Cells, text: string, texts: Record<Facet, string[]>): Uint8Array | null {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return null;
  const matches = new Uint8Array(cells.count).fill(1);
  for (const word of words) {
    const hits = FACETS.map((facet) => [cells.of[facet], texts[facet].map((value) => value.includes(word))] as const);
    for (let cell = 0; cell < cells.count; cell++) {
      if (!hits.some(([column, has]) => has[column[cell]])) matches[cell] = 0;
    }
  }
  return matches;
}

/** What the selection shows, and how many cells each further choice would show. */
export function select(cells: Cells, selection: Selection, texts: Record<Facet, string[]>): Counts {
  const facets = Object.fromEntries(
    FACETS.map((facet) => [facet, new Uint32Array(cells.values[facet].length)])) as Counts["facets"];
  const matches = matchText(cells, selection.text, texts);
  const counts: Counts = { shown: [], facets, differs: 0, disagrees: 0, uncompared: 0 };
  const narrowing = FACETS.map((facet, bit) => ({ facet, bit: 1 << bit, column: cells.of[facet], chosen: selection.chosen[facet] }));
  const [differsBit, disagreesBit] = [1 << FACETS.length, 2 << FACETS.length];
  for (let cell = 0; cell < cells.count; cell++) {
    if (matches && !matches[cell]) continue;
    const [differs, disagrees] = [cells.standing[cell] === "*", cells.disagrees[cell] === 1];
    let failed = 0;
    for (const { bit, column, chosen } of narrowing) if (chosen.size && !chosen.has(column[cell])) failed |= bit;
    if (selection.differs && !differs) failed |= differsBit;
    if (selection.disagrees && !disagrees) failed |= disagreesBit;
    for (const { facet, bit, column } of narrowing) if ((failed & ~bit) === 0) facets[facet][column[cell]]++;
    if (differs && (failed & ~differsBit) === 0) counts.differs++;
    if (disagrees && (failed & ~disagreesBit) === 0) counts.disagrees++;
    if (failed) continue;
    counts.shown.push(cell);
    if (cells.standing[cell] === "?") counts.uncompared++;
  }
  return counts;
}

export interface Row {
  /** The other axis (a build where rows are clients) and the service: what the row stands under. */
  group: [string, string];
  name: string;
  /** One cell per offer of the table; -1: none that is shown. */
  cells: Int32Array;
}
export interface Table { offers: string[]; rows: Row[]; axis: RowAxis }

/** The shown cells as rows by offers; rows and columns without a shown cell are left out. */
export function pivot(cells: Cells, shown: number[], axis: RowAxis): Table {
  const [group, row]: [Facet, Facet] = axis === "clients" ? ["build", "client"] : ["client", "build"];
  const columns = [...new Set(shown.map((cell) => cells.of.offer[cell]))].sort((a, b) => a - b);
  const columnOf = new Map(columns.map((offer, at) => [offer, at]));
  const [services, rows] = [cells.values.service.length, cells.values[row].length];
  const made = new Map<number, Row>();
  for (const cell of shown) {
    const key = (cells.of[group][cell] * services + cells.of.service[cell]) * rows + cells.of[row][cell];
    let line = made.get(key);
    if (!line) {
      line = { group: [valueOf(cells, group, cell), valueOf(cells, "service", cell)], name: valueOf(cells, row, cell),
        cells: new Int32Array(columns.length).fill(-1) };
      made.set(key, line);
    }
    line.cells[columnOf.get(cells.of.offer[cell])!] = cell;
  }
  const sorted = [...made].sort(([a], [b]) => a - b).map(([, line]) => line);
  return { offers: columns.map((offer) => cells.values.offer[offer]), rows: sorted, axis };
}

/** BUILD/SCENARIO/SERVICE/CLIENT/OFFER, the cell's id. */
export const cellId = (cells: Cells, cell: number): string =>
  `${valueOf(cells, "build", cell)}/${cells.facts.scenario}/${placeOf(cells, cell)}`;
export const placeOf = (cells: Cells, cell: number): string =>
  (["service", "client", "offer"] as const).map((facet) => valueOf(cells, facet, cell)).join("/");

export function findCell(cells: Cells, id: string): number {
  for (let cell = 0; cell < cells.count; cell++) if (cellId(cells, cell) === id) return cell;
  return -1;
}
/** The run that a cell was measured in; null where the facts do not say. */
export function runOf(cells: Cells, cell: number): string | null {
  const { facts } = cells;
  const runs = facts.run[cells.of.build[cell]];
  if (typeof runs === "number") return facts.runs[runs] ?? null;
  const place = facts.places.findIndex(([service, client, offer]) => service === cells.of.service[cell]
    && client === cells.of.client[cell] && offer === cells.of.offer[cell]);
  return facts.runs[runs?.[place]] ?? null;
}
