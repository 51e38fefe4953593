// The rows by offers: a grid that arrow keys walk, of which only the rows in sight are elements when there are
// many. Printing makes all of them elements.
import { elementScroll, observeElementOffset, observeElementRect, Virtualizer } from "@tanstack/virtual-core";
import { options as preactOptions } from "preact";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { Cells, placeOf, resultOf, Row, Table } from "./cells";
import { cellAddress, Index, Offer, siteAddress } from "./data";

/** From this number of places in the table on, only the lines in sight are elements. */
const MANY_PLACES = 1500;
/** With more columns, cells show their glyph alone. */
const MANY_OFFERS = 9;
/** Height of a line in pixels, as site.css sets it; names take two lines on a phone. Measuring each line would lay
 * the table out once more at every filter: four fifths of its time. */
const LINE_HEIGHT = 34;
const NARROW_LINE_HEIGHT = 52;
const NARROW = matchMedia("(max-width: 44rem)");

type Line = { heading: [string, string] } | { row: Row; at: number };

/** The rows, with a line above each group. */
function linesOf(table: Table): Line[] {
  const lines: Line[] = [];
  let last = "";
  table.rows.forEach((row, at) => {
    const group = row.group.join("\n");
    if (group !== last) lines.push({ heading: row.group });
    last = group;
    lines.push({ row, at });
  });
  return lines;
}

function useVirtualizer(count: number, element: () => HTMLElement | null): Virtualizer<HTMLElement, HTMLElement> {
  const [, update] = useReducer((turn: number) => turn + 1, 0);
  const options = {
    count, getScrollElement: element, estimateSize: () => (NARROW.matches ? NARROW_LINE_HEIGHT : LINE_HEIGHT), overscan: 4,
    observeElementRect, observeElementOffset, scrollToFn: elementScroll, onChange: () => update(0),
  };
  const [virtualizer] = useState(() => new Virtualizer<HTMLElement, HTMLElement>(options));
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), []);
  useLayoutEffect(() => virtualizer._willUpdate());
  return virtualizer;
}

/** True while the page is printed: then every line has to be there, at once. */
function usePrinting(): boolean {
  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const set = (value: boolean) => () => {
      const usual = preactOptions.debounceRendering;
      preactOptions.debounceRendering = (draw) => draw();
      setPrinting(value);
      preactOptions.debounceRendering = usual;
    };
    const [before, after] = [set(true), set(false)];
    window.addEventListener("beforeprint", before);
    window.addEventListener("afterprint", after);
    return () => { window.removeEventListener("beforeprint", before); window.removeEventListener("afterprint", after); };
  }, []);
  return printing;
}

export interface GridProps { cells: Cells; table: Table; heads: Map<string, Offer>; index: Index; onOpen: (cell: number) => void }

/** Where an arrow key leads: the next cell that is shown, in the row or in the column. */
function nextPlace(table: Table, [row, column]: [number, number], key: string): [number, number] | null {
  const { rows } = table;
  const has = (r: number, c: number) => rows[r]?.cells[c] >= 0;
  const along = (step: number, from: number): [number, number] | null => {
    for (let c = from; c >= 0 && c < table.offers.length; c += step) if (has(row, c)) return [row, c];
    return null;
  };
  const down = (step: number, from: number): [number, number] | null => {
    for (let r = from; r >= 0 && r < rows.length; r += step) if (has(r, column)) return [r, column];
    return null;
  };
  switch (key) {
    case "ArrowRight": return along(1, column + 1);
    case "ArrowLeft": return along(-1, column - 1);
    case "Home": return along(1, 0);
    case "End": return along(-1, table.offers.length - 1);
    case "ArrowDown": return down(1, row + 1);
    case "ArrowUp": return down(-1, row - 1);
    case "PageDown": return down(1, Math.min(row + 10, rows.length - 1));
    case "PageUp": return down(-1, Math.max(row - 10, 0));
    default: return null;
  }
}

export function CellTable({ cells, table, heads, index, onOpen }: GridProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => linesOf(table), [table]);
  const printing = usePrinting();
  const many = lines.length * table.offers.length > MANY_PLACES;
  const virtualizer = useVirtualizer(many ? lines.length : 0, () => scroller.current);
  const items = many && !printing ? virtualizer.getVirtualItems() : null;
  const shown = items ? items.map((item) => item.index) : lines.map((_, at) => at);
  const before = items?.length ? items[0].start : 0;
  const after = items?.length ? virtualizer.getTotalSize() - items[items.length - 1].end : 0;
  const [active, setActive] = useState<[number, number] | null>(null);
  const place = active && table.rows[active[0]]?.cells[active[1]] >= 0 ? active
    : firstPlace(table, lines, shown);
  const step = useRef<{ from: HTMLElement; to: [number, number] } | null>(null);
  useLayoutEffect(() => { step.current = null; }, [table]);
  useLayoutEffect(() => {
    if (!step.current) return;
    const [row, column] = step.current.to;
    const link = scroller.current?.querySelector<HTMLElement>(`a[data-row="${row}"][data-column="${column}"]`);
    if (link) { step.current = null; link.focus(); }
  });
  const walk = (event: KeyboardEvent) => {
    const link = (event.target as HTMLElement).closest<HTMLElement>("a[data-row]");
    if (!link || event.altKey || event.ctrlKey || event.metaKey) return;
    // Keys may come faster than lines are made: then the focus is still where the last step began.
    const place: [number, number] = step.current?.from === link ? step.current.to : [Number(link.dataset.row), Number(link.dataset.column)];
    const next = nextPlace(table, place, event.key);
    if (!next) return;
    event.preventDefault();
    step.current = { from: link, to: next };
    if (many) virtualizer.scrollToIndex(lines.findIndex((line) => "row" in line && line.at === next[0]));
    setActive(next);
  };
  const open = (event: MouseEvent) => {
    const link = (event.target as HTMLElement).closest<HTMLElement>("a[data-row]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    const [row, column] = [Number(link.dataset.row), Number(link.dataset.column)];
    setActive([row, column]);
    onOpen(table.rows[row].cells[column]);
  };
  const columns = table.offers.length + 1;
  const service = (id: string) => index.services.find((entry) => entry.id === id)?.title ?? id;
  return <div class={`wide${table.offers.length > MANY_OFFERS ? " compact" : ""}`} ref={scroller} role="region" tabIndex={0} aria-label="Table of cells">
    <table class="cells" role="grid" aria-rowcount={many ? lines.length + 1 : undefined} aria-colcount={columns} onKeyDown={walk} onClick={open}>
      <caption class="vh">{cells.facts.title}: {table.axis} by offer</caption>
      <thead><tr aria-rowindex={many ? 1 : undefined}><th scope="col">{table.axis === "clients" ? "Client" : "Build"}</th>
        {table.offers.map((offer) => <th scope="col" key={offer} title={heads.get(offer)!.title}><span class="head">{heads.get(offer)!.short}</span></th>)}</tr></thead>
      <tbody>
        {before > 0 && <Space height={before} columns={columns} />}
        {shown.map((at) => {
          const line = lines[at];
          const attributes = many ? { "aria-rowindex": at + 2, "data-index": at } : {};
          if (!line) return null;
          if ("heading" in line) return <tr class="group" key={`g${line.heading.join("/")}`} {...attributes}>
            <th scope="rowgroup" colSpan={columns}><span>{line.heading[0]}, {service(line.heading[1])}</span></th></tr>;
          return <tr key={`${line.row.group.join("/")}/${line.row.name}`} {...attributes}>
            <RowHead name={line.row.name} axis={table.axis} index={index} />
            {[...line.row.cells].map((cell, column) => <CellBox key={column} {...{ cells, cell, row: line.at, column, words: table.offers.length <= MANY_OFFERS }}
              tabbable={place !== null && place[0] === line.at && place[1] === column} />)}</tr>;
        })}
        {after > 0 && <Space height={after} columns={columns} />}
      </tbody>
    </table></div>;
}

/** The cell that Tab reaches while none has been walked to: the first of the rows in sight. */
function firstPlace(table: Table, lines: Line[], shown: number[]): [number, number] | null {
  for (const at of shown) {
    const line = lines[at];
    if (line && "row" in line) return [line.at, table.rows[line.at].cells.findIndex((cell) => cell >= 0)];
  }
  return null;
}

function Space({ height, columns }: { height: number; columns: number }) {
  const row = useRef<HTMLTableCellElement>(null);
  useLayoutEffect(() => { row.current!.style.height = `${height}px`; });
  return <tr class="space" aria-hidden="true"><td colSpan={columns} ref={row} /></tr>;
}

/** An id that breaks only before "+". */
export function Name({ id }: { id: string }) {
  return <>{id.split(/(?=\+)/).map((part, at) => <>{at > 0 && <wbr />}<span class="whole">{part}</span></>)}</>;
}

function RowHead({ name, axis, index }: { name: string; axis: string; index: Index }) {
  const entry = (axis === "clients" ? index.clients : index.builds).find((item) => item.id === name);
  return <th scope="row">{entry?.href ? <a href={siteAddress(entry.href)}><Name id={name} /></a> : <Name id={name} />}</th>;
}

interface CellBoxProps { cells: Cells; cell: number; row: number; column: number; tabbable: boolean; words: boolean }
function CellBox({ cells, cell, row, column, tabbable, words: withWords }: CellBoxProps) {
  if (cell < 0) return <td class="o empty" />;
  const result = resultOf(cells, cell);
  const differs = cells.standing[cell] === "*";
  const [glyph, ...words] = result.label.split(" ");
  const build = cells.values.build[cells.of.build[cell]];
  const sentence = result.sentence + (differs ? `; differs from ${cells.facts.baseline}` : "");
  return <td class={`o o-${result.outcome}${differs ? " differs" : ""}${cells.disagrees[cell] ? " disagrees" : ""}`}>
    <a href={cellAddress(build, cells.facts.scenario, placeOf(cells, cell))} title={sentence} tabIndex={tabbable ? 0 : -1}
      data-row={row} data-column={column}>{differs || withWords ? <span>{glyph}{differs && <b class="mark">*</b>}</span> : glyph}
      {withWords && words.length > 0 && <span class="w"> {words.join(" ")}</span>}</a></td>;
}
