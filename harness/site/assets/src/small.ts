// Small additions: a button beside text to copy, and a search over the rows of a long table.
import { showQuery } from "./address";

/** A table of fewer rows needs no search. */
const LONG = 15;

export function mountPaste(details: HTMLDetailsElement): void {
  const text = details.querySelector("pre");
  if (!text) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text.textContent ?? "");
      button.textContent = "Copied";
    } catch {
      getSelection()?.selectAllChildren(text);
      button.textContent = "Selected: press Ctrl+C";
    }
  });
  text.after(button);
}

export function mountRowFilter(table: HTMLTableElement): void {
  const rows = [...table.querySelectorAll<HTMLTableRowElement>("tbody tr")];
  const place = table.closest(".wide");
  if (rows.length < LONG || !place) return;
  const texts = rows.map((row) => (row.cells[0]?.textContent ?? "").toLowerCase());
  const label = document.createElement("label");
  label.className = "pick";
  label.textContent = "Search the rows ";
  const input = Object.assign(document.createElement("input"), { type: "search", autocomplete: "off" });
  const count = document.createElement("span");
  count.setAttribute("role", "status");
  label.append(input);
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, at) => {
      row.hidden = !words.every((word) => texts[at].includes(word));
      shown += Number(!row.hidden);
    });
    count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  };
  input.addEventListener("input", () => {
    filter();
    const query = new URLSearchParams(location.search);
    if (input.value.trim()) query.set("q", input.value); else query.delete("q");
    showQuery(query, "replace");
  });
  const read = () => { input.value = new URLSearchParams(location.search).get("q") ?? ""; filter(); };
  const form = document.createElement("form");
  form.className = "filters";
  form.setAttribute("aria-label", "Search");
  form.addEventListener("submit", (event) => event.preventDefault());
  form.append(label, count);
  place.before(form);
  window.addEventListener("popstate", read);
  read();
}
