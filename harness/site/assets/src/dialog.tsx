// A cell's evidence above the table; Escape closes it and gives the focus back.
import { useEffect, useRef, useState } from "preact/hooks";
import { Cells, cellId, placeOf, resultOf, runOf, valueOf } from "./cells";
import { cellAddress, Index, readEvidence, Shard } from "./data";
import { EvidenceText } from "./evidence";

export function CellDialog({ cells, cell, index, onClose }: { cells: Cells; cell: number; index: Index; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  const [found, setFound] = useState<{ shard: Shard; path: string } | null>(null);
  const [state, setState] = useState("loading the evidence …");
  const build = valueOf(cells, "build", cell);
  const paths = cells.facts.evidence[cells.of.build[cell]] ?? [];
  const id = cellId(cells, cell);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    dialog.current!.showModal();
    heading.current!.focus();
    return () => before?.focus();
  }, []);
  useEffect(() => {
    let current = true;
    setFound(null);
    readEvidence(paths, placeOf(cells, cell)).then((read) => { if (current) { setFound(read); setState(""); } },
      (error: Error) => { if (current) setState(error.message); });
    return () => { current = false; };
  }, [id]);
  const permanent = cellAddress(build, cells.facts.scenario, placeOf(cells, cell));
  const place = { build, scenario: cells.facts.scenario, service: valueOf(cells, "service", cell),
    client: valueOf(cells, "client", cell), offer: valueOf(cells, "offer", cell) };
  return <dialog ref={dialog} aria-labelledby="cell-title" data-cell={id} onClose={onClose}
    onClick={(event) => { if (event.target === dialog.current) dialog.current!.close(); }}>
    <div class="bar"><h2 id="cell-title" tabIndex={-1} ref={heading}>{place.client}, {place.offer} → {place.service} of {build}</h2>
      <span class="tools"><a href={permanent}>Page of this cell</a>
        <button type="button" onClick={() => dialog.current!.close()}>Close</button></span></div>
    {state ? <p role="status">{state}</p>
      : <EvidenceText {...{ place, index, permanent }} shard={found?.shard ?? null} result={resultOf(cells, cell)} shardPath={found?.path ?? null} run={runOf(cells, cell)} />}
  </dialog>;
}
