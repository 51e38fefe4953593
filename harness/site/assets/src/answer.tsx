// The answer box: two choices become boxes that one types into, over ids, descriptions and aliases, and the
// button leads straight to the page of the pair.
import MiniSearch from "minisearch";
import { render } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Index, pathName, readIndex, siteAddress } from "./data";

interface Choice { id: string; label: string; about: string; aliases: string[] }

const SHOWN = 30;
const NOUNS: Record<string, string> = { client: "client", build: "server" };

/** What the select offers; the index adds descriptions and aliases. */
function readChoices(select: HTMLSelectElement, index: Index | null): Choice[] {
  const known = new Map<string, { about: string; aliases: string[] }>();
  for (const build of index?.builds ?? []) known.set(build.id, { about: [build.title, ...(build.notes ?? [])].filter(Boolean).join(", "), aliases: [] });
  for (const client of index?.clients ?? []) known.set(client.id, { about: client.about ?? "", aliases: client.aliases ?? [] });
  return [...select.options].filter((option) => option.value).map((option) => ({
    id: option.value, label: option.text.trim(), ...(known.get(option.value) ?? { about: "", aliases: [] }),
  }));
}

function makeSearch(choices: Choice[]): MiniSearch<Choice> {
  const search = new MiniSearch<Choice>({
    fields: ["label", "id", "about", "text"], storeFields: ["id"],
    extractField: (choice, field) => (field === "text" ? choice.aliases.join(" ") : String(choice[field as keyof Choice])),
    searchOptions: { prefix: true, fuzzy: (term) => (term.length > 4 ? 0.2 : false), combineWith: "AND", boost: { label: 3, id: 3 } },
  });
  search.addAll(choices);
  return search;
}

function matchChoices(choices: Choice[], search: MiniSearch<Choice>, text: string): Choice[] {
  if (!text.trim()) return choices;
  const byId = new Map(choices.map((choice) => [choice.id, choice]));
  const hits = search.search(text).map((hit) => byId.get(hit.id as string)!);
  if (hits.length) return hits;
  const part = text.trim().toLowerCase();
  return choices.filter((choice) => choice.label.toLowerCase().includes(part));
}

/** What a choice is; where it was found by other software's name, that it stands for that only by likeness. */
function Note({ alias, about }: { alias?: string; about: string }) {
  if (alias) return <small>{alias}: not measured here; this is the nearest that was</small>;
  return about ? <small>{about}</small> : null;
}

function Box({ select, label, index, onWant }: { select: HTMLSelectElement; label: string; index: Index | null; onWant: () => void }) {
  const choices = useMemo(() => readChoices(select, index), [select, index]);
  const search = useMemo(() => makeSearch(choices), [choices]);
  const labelOf = (id: string) => choices.find((choice) => choice.id === id)?.label ?? "";
  const [text, setText] = useState(() => labelOf(select.value));
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const typed = text !== labelOf(select.value);
  const hits = typed ? matchChoices(choices, search, text) : choices;
  const shown = hits.slice(0, typed ? SHOWN : 200);
  const name = `answer-${select.name}`;
  const choose = (choice: Choice | undefined) => {
    select.value = choice?.id ?? "";
    setText(choice?.label ?? "");
    setOpen(false);
  };
  useEffect(() => { list.current?.children[at]?.scrollIntoView({ block: "nearest" }); }, [at, open]);
  const type = (value: string) => { setText(value); setAt(0); setOpen(true); select.value = ""; };
  const press = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!open) { setOpen(true); setAt(Math.max(0, shown.findIndex((choice) => choice.id === select.value))); return; }
      const step = event.key === "ArrowDown" ? 1 : -1;
      setAt((at + step + shown.length) % Math.max(1, shown.length));
    } else if (event.key === "Enter" && open && shown[at]) {
      event.preventDefault();
      choose(shown[at]);
    } else if (event.key === "Escape") {
      setOpen(false);
    }
  };
  const leave = () => {
    setOpen(false);
    if (!select.value && text.trim() && hits.length === 1) choose(hits[0]);
  };
  const aliasOf = (choice: Choice) => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return typed ? choice.aliases.find((alias) => words.some((word) => alias.toLowerCase().includes(word))) : undefined;
  };
  return <div class="box">
    <label for={name}>{label}</label>
    <input id={name} type="text" role="combobox" autocomplete="off" spellcheck={false} aria-expanded={open} aria-controls={`${name}-list`}
      aria-autocomplete="list" aria-activedescendant={open && shown[at] ? `${name}-${at}` : undefined} value={text} placeholder="type or choose"
      onFocus={(event) => { onWant(); event.currentTarget.select(); }}
      onClick={(event) => { if (!open) event.currentTarget.select(); setOpen(true); }}
      onInput={(event) => type(event.currentTarget.value)} onKeyDown={press} onBlur={leave} />
    <ul id={`${name}-list`} role="listbox" aria-label={label} ref={list} hidden={!open || !shown.length}
      onMouseDown={(event) => event.preventDefault()}>
      {open && shown.map((choice, place) => <li key={choice.id} id={`${name}-${place}`} role="option" aria-selected={place === at}
        onClick={() => choose(choice)}>{choice.label}<Note alias={aliasOf(choice)} about={choice.about} /></li>)}
    </ul>
    <span class="vh" role="status">{open && typed ? `${hits.length} match` : ""}</span></div>;
}

const pairAddress = (client: string, build: string) => siteAddress(`can/${pathName(client)}/${pathName(build)}/`);

export function mountAnswer(form: HTMLFormElement): void {
  const selects = (["client", "build"] as const).map((name) => form.querySelector<HTMLSelectElement>(`select[name=${name}]`));
  const [client, build] = selects;
  if (!client || !build) return;
  const notice = document.createElement("p");
  notice.setAttribute("role", "alert");
  let index: Index | null = null;
  const places = [client, build].map((select) => {
    const label = select.closest("label") ?? form.querySelector(`label[for="${select.id}"]`);
    const text = label?.textContent?.trim() || NOUNS[select.name];
    const holder = document.createElement("div");
    holder.className = "holder";
    select.before(holder);
    label?.remove(); // the box has one of its own
    select.hidden = true;
    return { select, text, holder };
  });
  const draw = () => places.forEach(({ select, text, holder }) =>
    render(<Box select={select} label={text} index={index} onWant={want} />, holder));
  const want = () => { if (!index) readIndex().then((read) => { index = read; draw(); }, () => undefined); };
  draw();
  form.append(notice);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const missing = places.filter(({ select }) => !select.value);
    if (!missing.length) { location.href = pairAddress(client.value, build.value); return; }
    const [{ select, holder }] = missing;
    const noun = NOUNS[select.name];
    const typed = holder.querySelector("input")!;
    notice.textContent = typed.value.trim() ? `No ${noun} here is called “${typed.value.trim()}”: choose one from the list.` : `Choose a ${noun}.`;
    notice.className = "warning";
    typed.focus();
  });
}

/** `can/?client=…&build=…`, where the form leads without the script: go on to the page of the pair. */
export function followPair(): void {
  const query = new URLSearchParams(location.search);
  const [client, build] = [query.get("client"), query.get("build")];
  if (!client || !build) return;
  const form = document.querySelector<HTMLFormElement>("form#answer");
  const has = (name: string, value: string) => [...(form?.querySelectorAll<HTMLOptionElement>(`select[name=${name}] option`) ?? [])].some((option) => option.value === value);
  if (has("client", client) && has("build", build)) { location.replace(pairAddress(client, build)); return; }
  const word = document.createElement("p");
  word.className = "warning";
  word.setAttribute("role", "alert");
  word.textContent = `This site has no ${has("client", client) ? `server “${build}”` : `client “${client}”`}.`;
  document.querySelector("h1")?.after(word);
}
