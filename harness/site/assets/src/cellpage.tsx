// The page of a build and scenario: a button per row opens the evidence below it; the fragment names a cell, and
// perhaps a run.
import { render } from "preact";
import { Facts, fragment, Index, pathName, readEvidence, readIndex, readJson, Result, RunFile, ShardsByBuild, siteAddress } from "./data";
import { EvidenceText } from "./evidence";

interface Target { place: string; run: string | null }

/** SERVICE/CLIENT/OFFER, or the same with @RUN; an offer has no "@". */
export function readTarget(hash: string): Target | null {
  let text: string;
  try { text = decodeURIComponent(hash.slice(1)); } catch { text = hash.slice(1); }
  if (!text.includes("/")) return null;
  const at = text.lastIndexOf("@");
  return at < 0 ? { place: text, run: null } : { place: text.slice(0, at), run: text.slice(at + 1) };
}

/** What a scenario's facts say of a cell; null: nothing. */
export function lookUp(facts: Facts, build: string, place: string): Result | null {
  const [service, client, ...offer] = place.split("/");
  const wanted = [facts.services.indexOf(service), facts.clients.indexOf(client), facts.offers.indexOf(offer.join("/"))];
  const column = facts.places.findIndex((indices) => indices.every((index, at) => index === wanted[at]));
  const result = facts.cells[facts.builds.indexOf(build)]?.[column] ?? -2;
  return result < 0 ? null : facts.results[result];
}

class CellPage {
  private opened: HTMLTableRowElement | null = null;
  constructor(private table: HTMLTableElement, private build: string, private scenario: string) {}

  /** A link of each row to itself and a button: left out of the page, which has to be small. */
  addButtons(): void {
    for (const group of this.table.querySelectorAll<HTMLTableCellElement>("tr.group > th")) group.colSpan++;
    this.table.tHead?.rows[0]?.insertCell().classList.add("more");
    for (const row of this.table.querySelectorAll<HTMLTableRowElement>("tr[id]")) {
      const link = document.createElement("a");
      link.href = `#${fragment(row.id)}`;
      link.append(...row.cells[0].childNodes);
      row.cells[0].append(link);
      const box = row.insertCell();
      box.className = "more";
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Evidence";
      button.setAttribute("aria-expanded", "false");
      const describe = document.createElement("span");
      describe.className = "vh";
      describe.textContent = ` of ${row.id}`;
      button.append(describe);
      button.addEventListener("click", () => {
        const opens = row.nextElementSibling !== this.opened || this.opened === null;
        if (!opens) { this.close(); history.replaceState(null, "", location.pathname + location.search); return; }
        history.pushState(null, "", `#${fragment(row.id)}`);
        void this.open(row, { place: row.id, run: null });
      });
      box.append(button);
    }
  }

  close(): void {
    const row = this.opened?.previousElementSibling;
    row?.classList.remove("current");
    row?.querySelector("button")?.setAttribute("aria-expanded", "false");
    this.opened?.remove();
    this.opened = null;
  }

  async open(row: HTMLTableRowElement, { place, run }: Target): Promise<void> {
    this.close();
    const below = document.createElement("tr");
    below.className = "opened";
    const box = below.insertCell();
    box.colSpan = [...row.cells].reduce((sum, cell) => sum + cell.colSpan, 0);
    box.textContent = "loading the evidence …";
    row.after(below);
    row.classList.add("current");
    row.querySelector("td.more button")?.setAttribute("aria-expanded", "true");
    this.opened = below;
    try {
      const text = await this.evidence(place, run);
      if (this.opened !== below) return;
      box.textContent = "";
      render(text, box);
    } catch (error) {
      box.textContent = error instanceof Error ? error.message : String(error);
    }
    below.dataset.cell = `${this.build}/${this.scenario}/${place}`;
  }

  private async evidence(place: string, run: string | null) {
    const index = await readIndex();
    const { paths, result } = run === null ? await this.newest(index, place) : await this.pinned(run, place);
    const found = await readEvidence(paths, place);
    const [service, client, ...offer] = place.split("/");
    const permanent = siteAddress(`cell/${pathName(this.build)}/${pathName(this.scenario)}/#${fragment(place)}${run ? `@${run}` : ""}`);
    return <EvidenceText place={{ build: this.build, scenario: this.scenario, service, client, offer: offer.join("/") }}
      {...{ result, index, run, permanent }} shard={found?.shard ?? null} shardPath={found?.path ?? null} />;
  }

  private async newest(index: Index, place: string): Promise<{ paths: string[]; result: Result | null }> {
    const scenario = index.scenarios.find((entry) => entry.id === this.scenario);
    const facts = scenario ? await readJson<Facts>(scenario.facts) : null;
    // The table's address is relative to the page, that of the facts to the site's root.
    const shards = (this.table.dataset.evidence ?? "").split(" ").filter(Boolean);
    const paths = shards.length ? shards.map((path) => new URL(path, location.href.split("#")[0]).href)
      : facts?.evidence[facts.builds.indexOf(this.build)] ?? [];
    return { paths, result: facts && lookUp(facts, this.build, place) };
  }

  private async pinned(run: string, place: string): Promise<{ paths: string[]; result: Result | null }> {
    const kept = await readJson<RunFile>(`data/v1/runs/${encodeURIComponent(run)}.json`)
      .catch(() => { throw new Error(`The run ${run} is no longer kept here.`); });
    const facts = kept.facts[this.scenario] ? await readJson<Facts>(kept.facts[this.scenario]) : null;
    const result = facts && lookUp(facts, this.build, place);
    if (!result) throw new Error(`The run ${run} did not measure this cell.`);
    const evidence = kept.evidence[this.scenario] ?? {};
    const byBuild = typeof evidence === "string" ? await readJson<ShardsByBuild>(evidence) : evidence;
    return { paths: [byBuild[this.build] ?? []].flat(), result };
  }

  /** Open the row that the fragment names; say so where there is none. */
  async follow(): Promise<void> {
    document.querySelector("#gone")?.remove();
    const target = readTarget(location.hash);
    if (!target) { this.close(); return; }
    const row = document.getElementById(target.place);
    if (row instanceof HTMLTableRowElement) {
      await this.open(row, target);
      row.scrollIntoView({ block: "start" });
      return;
    }
    const word = document.createElement("p");
    word.id = "gone";
    word.className = "warning";
    word.setAttribute("role", "alert");
    word.textContent = `The cell ${target.place} is not among the newest results of this page.`;
    this.table.closest(".wide")?.before(word);
    const last = await this.lastRun(target.place);
    word.textContent += last ? ` It was last measured in run ${last.run}: ${last.result.sentence}.` : " No kept run has it.";
  }

  /** The newest kept run that measured a cell. */
  private async lastRun(place: string): Promise<{ run: string; result: Result } | null> {
    for (const { id } of (await readIndex()).runs) {
      const kept = await readJson<RunFile>(`data/v1/runs/${encodeURIComponent(id)}.json`).catch(() => null);
      const path = kept?.facts[this.scenario];
      const result = path ? lookUp(await readJson<Facts>(path), this.build, place) : null;
      if (result) return { run: id, result };
    }
    return null;
  }
}

export function mountCellPage(table: HTMLTableElement): void {
  const [, build, scenario] = location.pathname.match(/\/cell\/([^/]+)\/([^/]+)\//)?.map(readName) ?? [];
  if (!build) return;
  const page = new CellPage(table, table.dataset.build ?? build, table.dataset.scenario ?? scenario);
  page.addButtons();
  void page.follow();
  window.addEventListener("hashchange", () => void page.follow());
  window.addEventListener("popstate", () => void page.follow());
}

/** The name that a path's part stands for. */
const readName = (part: string): string => decodeURIComponent(decodeURIComponent(part).replace(/~([0-9A-Fa-f]{2})/g, "%$1"));

/** A build and scenario whose cells are on a page per client: go on to the client's. */
export function followSplit(list: HTMLElement): void {
  const target = readTarget(location.hash);
  const client = target?.place.split("/")[1];
  const link = [...list.querySelectorAll<HTMLAnchorElement>("a[data-client]")].find((entry) => entry.dataset.client === client);
  if (link) { location.replace(link.href + location.hash); return; }
  if (!client) return;
  const word = document.createElement("p");
  word.className = "warning";
  word.setAttribute("role", "alert");
  word.textContent = `The address names a cell of the client “${client}”, which is not among the newest results here.`;
  list.before(word);
}
