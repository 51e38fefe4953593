// Any two kept runs: cells whose result differs. A cell that one run did not measure, or that timed out or failed
// in one, is not compared.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { showQuery } from "./address";
import { cellAddress, Facts, Index, readIndex, readJson, Result, RunFile } from "./data";
import { reportTrouble } from "./view";

interface Change { build: string; scenario: string; place: string; before: Result; after: Result }
interface Comparison { changes: Change[]; compared: number; uncompared: number; onlyIn: string[] }

/** Outcomes that say nothing about behaviour. */
const SILENT = new Set(["timeout", "error", "not-measured"]);
const SHOWN = 300;

const behaviour = (result: Result): string =>
  [result.outcome, result.protocol, result.cipher, result.stage, result.reason].join("\n");

/** Each cell's result by its id without the scenario. */
function resultsOf(facts: Facts): Map<string, Result> {
  const results = new Map<string, Result>();
  facts.builds.forEach((build, b) => facts.places.forEach(([service, client, offer], p) => {
    const result = facts.cells[b][p];
    if (result >= 0) results.set([build, facts.services[service], facts.clients[client], facts.offers[offer]].join("\n"), facts.results[result]);
  }));
  return results;
}

/** Two runs' facts of one scenario. */
function compareFacts(before: Facts, after: Facts, into: Comparison): void {
  const old = resultsOf(before);
  for (const [key, result] of resultsOf(after)) {
    const previous = old.get(key);
    old.delete(key);
    if (!previous || SILENT.has(previous.outcome) || SILENT.has(result.outcome)) { into.uncompared++; continue; }
    into.compared++;
    if (behaviour(previous) === behaviour(result)) continue;
    const [build, ...place] = key.split("\n");
    into.changes.push({ build, scenario: after.scenario, place: place.join("/"), before: previous, after: result });
  }
  into.uncompared += old.size;
}

async function compareRuns(a: string, b: string): Promise<Comparison> {
  const [before, after] = await Promise.all([a, b].map((run) => readJson<RunFile>(`data/v1/runs/${encodeURIComponent(run)}.json`)));
  const result: Comparison = { changes: [], compared: 0, uncompared: 0, onlyIn: [] };
  const common = Object.keys(after.facts).filter((scenario) => scenario in before.facts);
  result.onlyIn = [...new Set([...Object.keys(before.facts), ...Object.keys(after.facts)])].filter((scenario) => !common.includes(scenario));
  for (const scenario of common) {
    const [old, now] = await Promise.all([before.facts[scenario], after.facts[scenario]].map((path) => readJson<Facts>(path)));
    compareFacts(old, now, result);
  }
  return result;
}

const query = () => new URLSearchParams(location.search);

function Compare({ index }: { index: Index }) {
  const runs = index.runs.map((run) => run.id);
  const read = () => ({ a: query().get("a") ?? runs[1] ?? runs[0], b: query().get("b") ?? runs[0] });
  const [pair, setPair] = useState(read);
  const [comparison, setComparison] = useState<Comparison | null>(null);
  const [trouble, setTrouble] = useState("");
  const [all, setAll] = useState(false);
  const unknown = [pair.a, pair.b].filter((run) => !runs.includes(run));
  useEffect(() => {
    const follow = () => setPair(read());
    window.addEventListener("popstate", follow);
    return () => window.removeEventListener("popstate", follow);
  }, []);
  useEffect(() => {
    setComparison(null);
    setTrouble("");
    if (unknown.length || pair.a === pair.b) return;
    let current = true;
    compareRuns(pair.a, pair.b).then((result) => { if (current) setComparison(result); },
      (error: Error) => { if (current) setTrouble(error.message); });
    return () => { current = false; };
  }, [pair.a, pair.b]);
  const choose = (side: "a" | "b", run: string) => {
    const next = { ...pair, [side]: run };
    const written = query();
    written.set("a", next.a);
    written.set("b", next.b);
    showQuery(written, "push");
    setPair(next);
  };
  const pick = (side: "a" | "b", title: string) => <label class="pick">{title}
    <select value={pair[side]} onChange={(event) => choose(side, event.currentTarget.value)}>
      {index.runs.map((run) => <option key={run.id} value={run.id}>{run.id}{run.finished ? "" : " (incomplete)"}</option>)}</select></label>;
  const changes = comparison?.changes ?? [];
  return <>
    <form class="filters" aria-label="Runs" onSubmit={(event) => event.preventDefault()}>{pick("a", "Before")}{pick("b", "After")}</form>
    {unknown.length > 0 && <p class="warning" role="alert">The address names the run {unknown.join(" and ")}, which is no longer kept here.</p>}
    {pair.a === pair.b && <p class="note">Choose two different runs.</p>}
    {trouble && <p class="warning" role="alert">{trouble}</p>}
    <p role="status">{comparison ? `${changes.length} of ${comparison.compared} compared cells differ; ${comparison.uncompared} are not compared (not measured in both, or timed out or failed in one).`
      : !trouble && !unknown.length && pair.a !== pair.b ? "comparing …" : ""}</p>
    {comparison && comparison.onlyIn.length > 0 && <details><summary>{comparison.onlyIn.length} configurations were measured by one of the two runs only</summary>
      <p>{comparison.onlyIn.join(", ")}</p></details>}
    {changes.length > 0 && <div class="wide" role="region" tabIndex={0} aria-label="Differences"><table class="plain">
      <caption class="vh">Cells that differ</caption>
      <thead><tr><th scope="col">cell</th><th scope="col">before</th><th scope="col">after</th></tr></thead>
      <tbody>{changes.slice(0, all ? undefined : SHOWN).map((change) => <tr key={`${change.build}/${change.scenario}/${change.place}`}>
        <th scope="row"><a href={cellAddress(change.build, change.scenario, change.place)}>{change.build}/{change.scenario}/{change.place}</a></th>
        <td data-label="before"><span class={`o o-${change.before.outcome}`}>{change.before.label}</span> {change.before.sentence}</td>
        <td data-label="after"><span class={`o o-${change.after.outcome}`}>{change.after.label}</span> {change.after.sentence}</td></tr>)}</tbody></table></div>}
    {changes.length > SHOWN && !all && <button type="button" onClick={() => setAll(true)}>Show all {changes.length}</button>}
  </>;
}

export async function mountCompare(section: HTMLElement): Promise<void> {
  const kept = [...section.children].filter((child) => /^H[1-6]$/.test(child.tagName));
  try {
    const index = await readIndex();
    const holder = document.createElement("div");
    render(<Compare index={index} />, holder);
    section.replaceChildren(...kept, holder);
    section.dataset.ready = "";
  } catch (error) {
    reportTrouble(section, error);
  }
}
