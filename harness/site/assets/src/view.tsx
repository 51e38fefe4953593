// The table of cells: facets with counts, a search, the rows by offers, exports, and a cell's evidence.
import { ComponentChildren, render } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { readSelection, showQuery, writeSelection } from "./address";
import {
  Cells, cellId, Counts, emptySelection, Facet, FACETS, findCell, pivot, readCells, RowAxis, searchTexts, select, Selection, Table,
} from "./cells";
import { Facts, Index, Offer, readIndex, readJson } from "./data";
import { CellDialog } from "./dialog";
import { download, toCsv, toJson, toMarkdown } from "./exports";
import { CellTable } from "./grid";

const TITLES: Record<Facet, string> = { service: "Service", build: "Build", client: "Client", offer: "Offer", outcome: "Outcome" };

const NARROW = matchMedia("(max-width: 44rem)");

export interface ViewOptions { build?: string; client?: string; rows: RowAxis }

/** A, B … Z, AA, AB … */
const letterOf = (place: number): string =>
  (place >= 26 ? letterOf(Math.floor(place / 26) - 1) : "") + String.fromCharCode(65 + place % 26);

/** The head of an offer's column: short, with letters for what has no short name. */
export function offerHeads(offers: string[], index: Index): Map<string, Offer> {
  let letter = 0;
  return new Map(offers.map((id) => {
    const known = index.offers.find((offer) => offer.id === id);
    const short = known?.short && known.short.length <= 9 ? known.short : id.length <= 9 ? id : letterOf(letter++);
    return [id, { id, short, title: known?.title ?? id }];
  }));
}

interface FacetProps {
  facet: Facet; cells: Cells; index: Index; counts: Uint32Array; chosen: ReadonlySet<number>;
  onChoose: (value: number) => void; onClear: () => void;
}

function nameOf(facet: Facet, value: string, index: Index): string {
  if (facet === "outcome") return index.outcomes[value] ? `${index.outcomes[value].glyph} ${index.outcomes[value].title}` : value;
  return value;
}

/** The values of a facet that have a cell here, in the order to show them in; outcomes as the legend has them. */
function presentValues(facet: Facet, cells: Cells, index: Index): { value: string; at: number }[] {
  const present = cells.values[facet].map((value, at) => ({ value, at })).filter(({ at }) => isPresent(cells, facet, at));
  if (facet !== "outcome") return present;
  const order = Object.keys(index.outcomes);
  return present.sort((a, b) => order.indexOf(a.value) - order.indexOf(b.value));
}

function Checks({ facet, cells, index, counts, chosen, onChoose, kind }: FacetProps & { kind: string }) {
  return <>{presentValues(facet, cells, index).map(({ value, at }) => <label class={`${kind}${counts[at] ? "" : " none"}`} key={value}>
    <input type="checkbox" checked={chosen.has(at)} onChange={() => onChoose(at)} />
    <span>{nameOf(facet, value, index)}</span> <small>{counts[at]}</small></label>)}</>;
}

const presence = new WeakMap<Cells, Map<Facet, Uint8Array>>();
/** Whether a value has any cell here at all, whatever is chosen. */
function isPresent(cells: Cells, facet: Facet, value: number): boolean {
  let known = presence.get(cells);
  if (!known) {
    known = new Map(FACETS.map((name) => {
      const has = new Uint8Array(cells.values[name].length);
      for (const at of cells.of[name]) has[at] = 1;
      return [name, has];
    }));
    presence.set(cells, known);
  }
  return known.get(facet)![value] === 1;
}

/** A facet: a few values as check boxes side by side, many in a list that opens. */
function FacetBox(props: FacetProps) {
  const { facet, cells, index, chosen, onClear } = props;
  const box = useRef<HTMLDetailsElement>(null);
  const present = presentValues(facet, cells, index);
  const values = present.length;
  const letters = present.reduce((sum, { value }) => sum + value.length, 0);
  useEffect(() => {
    const close = (event: Event) => {
      const escape = event instanceof KeyboardEvent;
      if (!box.current?.open || (escape ? event.key !== "Escape" : box.current.contains(event.target as Node))) return;
      box.current.open = false;
      if (escape) box.current.querySelector("summary")!.focus();
    };
    document.addEventListener("click", close);
    document.addEventListener("keydown", close);
    return () => { document.removeEventListener("click", close); document.removeEventListener("keydown", close); };
  }, []);
  if (values < 2 && !chosen.size) return null;
  if (values <= 7 && (facet === "outcome" || letters <= 36)) return <fieldset><legend>{TITLES[facet]}</legend><Checks {...props} kind="pill" /></fieldset>;
  const text = chosen.size ? `${chosen.size} of ${values}` : `all ${values}`;
  return <div><span class="pick" aria-hidden="true">{TITLES[facet]}</span>
    <details class={`facet${chosen.size ? " chosen" : ""}`} ref={box}>
      <summary><span class="vh">{TITLES[facet]}: </span>{text}</summary>
      <div role="group" aria-label={TITLES[facet]}><Checks {...props} kind="check" />
        {chosen.size > 0 && <button type="button" class="link" onClick={onClear}>all {values}</button>}</div>
    </details></div>;
}

/** On a narrow screen the filters are folded up, and say how many are chosen. */
function Fold({ chosen, children }: { chosen: number; children: ComponentChildren }) {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const follow = () => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", follow);
    return () => NARROW.removeEventListener("change", follow);
  }, []);
  if (!narrow) return <>{children}</>;
  return <details class="fold"><summary>Filters{chosen ? `: ${chosen} chosen` : ""}</summary><div>{children}</div></details>;
}

interface FiltersProps {
  cells: Cells; index: Index; selection: Selection; counts: Counts; fixedRows: boolean;
  onChange: (selection: Selection, how: "push" | "replace") => void; rows: RowAxis;
}
function Filters({ cells, index, selection, counts, fixedRows, onChange, rows }: FiltersProps) {
  const choose = (facet: Facet, value: number) => {
    const chosen = new Set(selection.chosen[facet]);
    if (!chosen.delete(value)) chosen.add(value);
    onChange({ ...selection, chosen: { ...selection.chosen, [facet]: chosen } }, "push");
  };
  const clear = (facet: Facet) => onChange({ ...selection, chosen: { ...selection.chosen, [facet]: new Set() } }, "push");
  const anyDisagrees = cells.disagrees.includes(1);
  const chosen = FACETS.reduce((sum, facet) => sum + selection.chosen[facet].size, 0) + Number(selection.differs) + Number(selection.disagrees);
  return <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
    <label class="pick search">Search names
      <input type="search" value={selection.text} autocomplete="off" spellcheck={false}
        onInput={(event) => onChange({ ...selection, text: event.currentTarget.value }, "replace")} /></label>
    <Fold chosen={chosen}>{FACETS.map((facet) => <FacetBox key={facet} facet={facet} cells={cells} index={index} counts={counts.facets[facet]}
      chosen={selection.chosen[facet]} onChoose={(value) => choose(facet, value)} onClear={() => clear(facet)} />)}
    {!fixedRows && <label class="pick">Rows
      <select value={selection.rows} onChange={(event) => onChange({ ...selection, rows: event.currentTarget.value as RowAxis }, "push")}>
        <option value="clients">clients</option><option value="builds">builds</option></select></label>}
    {(cells.facts.baseline !== null || anyDisagrees) && <fieldset><legend>Only</legend>
      {cells.facts.baseline !== null && <label class="pill"><input type="checkbox" checked={selection.differs}
        onChange={() => onChange({ ...selection, differs: !selection.differs }, "push")} />
        <span>what differs from {cells.facts.baseline}</span> <small>{counts.differs}</small></label>}
      {anyDisagrees && <label class="pill"><input type="checkbox" checked={selection.disagrees}
        onChange={() => onChange({ ...selection, disagrees: !selection.disagrees }, "push")} />
        <span>disagreements</span> <small>{counts.disagrees}</small></label>}</fieldset>}
    <button type="button" onClick={() => onChange(emptySelection(rows), "push")}>Show all</button></Fold>
  </form>;
}

function State({ cells, counts, table, index, heads }: { cells: Cells; counts: Counts; table: Table; index: Index; heads: Map<string, Offer> }) {
  const [copied, setCopied] = useState("");
  const name = `${cells.facts.scenario.replace(/[^\w.-]+/g, "-")}`;
  const short = table.offers.map((offer) => heads.get(offer)!.short);
  const copy = async () => {
    try { await navigator.clipboard.writeText(location.href); setCopied("copied"); }
    catch { setCopied("it is in the address bar"); }
    setTimeout(() => setCopied(""), 3000);
  };
  const rows = `${table.rows.length} ${table.rows.length === 1 ? "row" : "rows"}`;
  return <div class="state"><span role="status">{counts.shown.length} of {cells.count} cells, {rows}
    {cells.facts.baseline !== null && counts.uncompared > 0 && `; ${counts.uncompared} not compared with ${cells.facts.baseline}`}</span>
    <span class="tools"><span>Export what is shown:</span>
      <button type="button" onClick={() => download(`${name}.csv`, "text/csv", toCsv(cells, table))}>CSV</button>
      <button type="button" onClick={() => download(`${name}.json`, "application/json", toJson(cells, table, index))}>JSON</button>
      <button type="button" onClick={() => download(`${name}.md`, "text/markdown", toMarkdown(cells, table, short))}>Markdown</button>
      <button type="button" onClick={copy}>{copied || "Copy link"}</button></span></div>;
}

function Legend({ table, heads, cells, index }: { table: Table; heads: Map<string, Offer>; cells: Cells; index: Index }) {
  const long = table.offers.map((offer) => heads.get(offer)!).filter((offer) => offer.short !== offer.id);
  const outcomes = presentValues("outcome", cells, index).map(({ value }) => value).filter((outcome) => outcome in index.outcomes);
  return <>{long.length > 0 && <dl class="offers" aria-label="Offers">
    {long.map((offer) => <div key={offer.id}><dt>{offer.short}</dt><dd>{offer.title === offer.id ? <code>{offer.id}</code> : offer.title}</dd></div>)}</dl>}
    <details><summary>How to read a cell</summary><dl class="signs">
      {outcomes.map((outcome) => <div key={outcome}><dt><span class={`o o-${outcome}`}>{index.outcomes[outcome].glyph}</span></dt>
        <dd><b>{index.outcomes[outcome].title}.</b> {index.outcomes[outcome].meaning}</dd></div>)}
      {cells.facts.baseline && <div><dt><b>*</b></dt><dd>Differs from {cells.facts.baseline}.</dd></div>}</dl>
      <p>Arrow keys move between cells, Enter opens the evidence, Escape closes it. The address keeps the filters and the open cell.</p></details></>;
}

const query = () => new URLSearchParams(location.search);

function View({ facts, index, options, notice }: { facts: Facts; index: Index; options: ViewOptions; notice?: string }) {
  const cells = useMemo(() => readCells(facts, options), [facts, options]);
  const texts = useMemo(() => searchTexts(cells, index), [cells, index]);
  const [state, setState] = useState(() => readSelection(query(), cells, options.rows));
  const [open, setOpen] = useState<string | null>(() => query().get("cell"));
  useEffect(() => {
    const follow = () => { setState(readSelection(query(), cells, options.rows)); setOpen(query().get("cell")); };
    follow();
    window.addEventListener("popstate", follow);
    return () => window.removeEventListener("popstate", follow);
  }, [cells, options]);
  const change = useCallback((selection: Selection, how: "push" | "replace") => {
    setState({ selection, unknown: [] });
    showQuery(writeSelection(query(), cells, selection, options.rows), how);
  }, [cells, options]);
  const show = useCallback((id: string | null) => {
    setOpen(id);
    const next = query();
    if (id) next.set("cell", id); else next.delete("cell");
    showQuery(next, "push");
  }, []);
  const { selection, unknown } = state;
  const counts = useMemo(() => select(cells, selection, texts), [cells, selection, texts]);
  const table = useMemo(() => pivot(cells, counts.shown, selection.rows), [cells, counts, selection.rows]);
  const heads = useMemo(() => offerHeads(cells.values.offer, index), [cells, index]);
  const opened = open === null ? -1 : findCell(cells, open);
  const notices = [
    notice ?? "",
    unknown.length ? `The address names ${unknown.join(", ")}, which this table does not have; it is left out.` : "",
    open !== null && opened < 0 ? `The address names the cell “${open}”, which this table does not have: it is no longer measured, or stands on another page.` : "",
  ].filter(Boolean);
  const fixedRows = options.build !== undefined || options.client !== undefined;
  return <>
    {notices.map((text) => <p class="warning" role="alert">{text}</p>)}
    <Filters {...{ cells, index, selection, counts, fixedRows, onChange: change, rows: options.rows }} />
    <State {...{ cells, counts, table, index, heads }} />
    {table.rows.length ? <CellTable {...{ cells, table, heads, index }} onOpen={(cell) => show(cellId(cells, cell))} />
      : <p class="note">No cell passes these filters.</p>}
    <Legend {...{ table, heads, cells, index }} />
    {opened >= 0 && <CellDialog {...{ cells, index }} cell={opened} onClose={() => show(null)} />}
  </>;
}

/** A choice of scenarios above the view; the scenario is in the query. */
function ScenarioView({ index, options }: { index: Index; options: ViewOptions }) {
  const read = () => query().get("scenario");
  const [name, setName] = useState(read);
  const [facts, setFacts] = useState<Facts | null>(null);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    const follow = () => setName(read());
    window.addEventListener("popstate", follow);
    return () => window.removeEventListener("popstate", follow);
  }, []);
  const choices = index.scenarios;
  const scenario = choices.find((entry) => entry.id === name) ?? choices[0];
  const notice = name !== null && scenario?.id !== name ? `The address names the scenario “${name}”, which this site does not have.` : undefined;
  useEffect(() => {
    let current = true;
    readJson<Facts>(scenario.facts).then(
      (read) => { if (current) { setFacts(read); setTrouble(""); } }, (error: Error) => { if (current) setTrouble(error.message); });
    return () => { current = false; };
  }, [scenario]);
  const choose = (id: string) => {
    const next = query();
    next.set("scenario", id);
    next.delete("cell");
    showQuery(next, "push");
    setName(id);
  };
  return <>
    <form class="filters first" aria-label="Configuration" onSubmit={(event) => event.preventDefault()}>
      <label class="pick">Configuration<select value={scenario.id} onChange={(event) => choose(event.currentTarget.value)}>
        {choices.map((entry) => <option key={entry.id} value={entry.id}>{entry.title} ({entry.id})</option>)}</select></label></form>
    {trouble && <p class="warning" role="alert">{trouble}</p>}
    {facts && <View key={facts.scenario} facts={facts} index={index} options={options} notice={notice} />}
  </>;
}

/** Replace a section's static table by the view; without the data it stays, with a word why. */
export async function mountView(section: HTMLElement): Promise<void> {
  const { view, facts, build, client, rows } = section.dataset;
  const options: ViewOptions = { build, client, rows: rows === "builds" || client !== undefined ? "builds" : "clients" };
  const kept = [...section.children].filter((child) => /^H[1-6]$/.test(child.tagName));
  try {
    const index = await readIndex();
    const address = facts && new URL(facts, location.href).href;
    const data = view === "facts" && address ? await readJson<Facts>(address) : null;
    const holder = document.createElement("div");
    render(data ? <View facts={data} index={index} options={options} /> : <ScenarioView index={index} options={options} />, holder);
    section.replaceChildren(...kept, holder);
    section.dataset.ready = "";
  } catch (error) {
    reportTrouble(section, error);
  }
}

export function reportTrouble(section: HTMLElement, error: unknown): void {
  const word = document.createElement("p");
  word.className = "note";
  word.textContent = `Filters and exports are unavailable. ${error instanceof Error ? error.message : String(error)}`;
  const heading = [...section.children].filter((child) => /^H[1-6]$/.test(child.tagName)).at(-1);
  if (heading) heading.after(word); else section.prepend(word);
}
