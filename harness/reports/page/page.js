// The second part of the page's script: opens cells, follows addresses, and filters the tables.
let current = null;
async function open(button, { block: where = "nearest" } = {}) {
  const id = button.id;
  mark(button);
  const [facts, evidence] = await Promise.all([decode($("#facts")), decode(blockOf(id.split("/")[1]))]);
  if (current !== button) return; // another cell was chosen meanwhile
  fill(id, evidence.cells[id] ?? { why: "unknown" }, evidence.instances[id.split("/")[0]], facts);
  panel.hidden = false;
  document.body.classList.add("open"); // the tables make room: the cell stays in sight
  button.scrollIntoView({ block: where, inline: "nearest" });
  panel.scrollTop = 0;
  panel.dataset.cell = id;
  $("#panel-title").focus({ preventScroll: true });
  if (fragment() !== id) history.pushState(null, "", location.search + "#" + id);
}
function mark(button) {
  current?.removeAttribute("aria-expanded");
  current = button;
  button.setAttribute("aria-expanded", "true");
  rove(button);
}
function shut({ keepAddress = false } = {}) {
  if (panel.hidden) return;
  panel.hidden = true;
  delete panel.dataset.cell;
  document.body.classList.remove("open");
  current?.removeAttribute("aria-expanded");
  current?.focus();
  current = null;
  if (!keepAddress) history.pushState(null, "", location.search + "#");
}

// ---- addresses -----------------------------------------------------------------------------
function fragment() {
  try { return decodeURIComponent(location.hash.slice(1)); } catch { return location.hash.slice(1); }
}
// An address may be of another run, or of an older page: what it names and this page lacks is said.
const notice = $("#notice");
function say(...content) {
  const close = el("button", { type: "button", textContent: "✕", "aria-label": "✕ close this notice" });
  close.addEventListener("click", () => say());
  notice.replaceChildren(el("span", {}, ...content), close);
  notice.hidden = !content.length;
}
function follow() {
  const id = fragment();
  const target = id ? document.getElementById(id) : null;
  const unknown = readFilters();
  filter();
  say(...(unknown.length ? [`This run does not have ${unknown.join(", ")}: the address is of another run.`] : []));
  if (target?.matches("#matrix button")) {
    if (!visible(target)) { clearFilters(); say("The filters hid this cell, so they were lifted."); }
    open(target, { block: "center" });
    return;
  }
  shut({ keepAddress: true });
  if (id && !target) sayStale(id);
  else if (target && target.offsetParent === null && target.matches("section")) {
    clearFilters();
    target.scrollIntoView();
  }
}
function sayStale(id) {
  const isCell = id.split("/").length === 5;
  const near = isCell ? nearest(id) : null;
  say(`This page has no ${isCell ? "cell" : "place"} `, el("code", { textContent: id }),
    ": the link is of another run. ",
    ...(near ? ["The nearest cell here is ", el("a", { href: "#" + near.id, textContent: near.id }), "."] : []));
}
// The first cell that is the same up to the offer, or else up to the client, or the service.
function nearest(id) {
  const parts = id.split("/");
  for (let kept = 4; kept > 1; kept--) {
    const start = parts.slice(0, kept).join("/") + "/";
    const button = all("#matrix td button").find((one) => one.id.startsWith(start));
    if (button) return button;
  }
  return null;
}
// The filters are in the address's query: one key per axis, repeated for each value.
function readFilters() {
  const query = new URLSearchParams(location.search);
  const unknown = [];
  const take = (name, value, found) => { if (!found) unknown.push(`${name} ${value}`); };
  for (const name of axes) {
    const values = query.getAll(name);
    const inputs = all(`input[name=${name}]`, form);
    for (const input of inputs) input.checked = values.includes(input.value);
    for (const value of values) take(name, value, inputs.some((input) => input.value === value));
  }
  for (const name of flags) if (form.elements[name]) form.elements[name].checked = query.has(name);
  const scenario = query.get("scenario") ?? "";
  const options = all("option", form.elements.scenario).map((option) => option.value);
  form.elements.scenario.value = options.includes(scenario) ? scenario : "";
  take("scenario", scenario, options.includes(scenario));
  if (location.search.length > 1) $("#choices").open = true;
  return unknown;
}
function writeFilters() {
  const query = new URLSearchParams();
  if (form.elements.scenario.value) query.set("scenario", form.elements.scenario.value);
  for (const name of axes) for (const value of checked(name)) query.append(name, value);
  for (const name of flags) if (form.elements[name]?.checked) query.set(name, "1");
  const search = query.size ? "?" + query : "";
  history.replaceState(null, "", location.pathname + search + location.hash);
}
function clearFilters() {
  for (const input of all("input", form)) input.checked = false;
  form.elements.scenario.value = "";
  writeFilters();
  filter();
}

// ---- keyboard: arrows move between cells that are shown, one of them can be tabbed to ------------
let tabbable = null;
const visible = (button) => button.checkVisibility({ visibilityProperty: true });
function rove(button) {
  if (tabbable) tabbable.tabIndex = -1;
  tabbable = button;
  tabbable.tabIndex = 0;
}
function neighbour(button, key) {
  const row = button.closest("tr");
  const inRow = all("button", row).filter(visible);
  const at = inRow.indexOf(button);
  if (key === "ArrowLeft") return inRow[at - 1];
  if (key === "ArrowRight") return inRow[at + 1];
  if (key === "Home") return inRow[0];
  if (key === "End") return inRow[inRow.length - 1];
  const rows = all("tr[data-client]", matrix);
  const column = button.parentElement.cellIndex;
  const below = key === "ArrowDown";
  const onward = below ? rows.slice(rows.indexOf(row) + 1) : rows.slice(0, rows.indexOf(row)).reverse();
  return onward.map((r) => $("button", r.cells[column])).find((b) => b && visible(b));
}
matrix.addEventListener("keydown", (event) => {
  const keys = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
  if (!event.target.matches("td button") || !keys.includes(event.key)) return;
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const next = neighbour(event.target, event.key);
  if (next) { rove(next); next.focus(); }
});
matrix.addEventListener("click", (event) => {
  const button = event.target.closest("td button");
  if (button) open(button);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") shut();
});

// ---- filters -------------------------------------------------------------------------------
function checked(name) {
  return new Set(all(`input[name=${name}]:checked`, form).map((input) => input.value));
}
// Nothing chosen on an axis means all of it.
const passes = (set, value) => !set.size || set.has(value);
function filter() {
  const only = Object.fromEntries(axes.map((name) => [name, checked(name)]));
  only.scenario = form.elements.scenario.value;
  only.disagree = form.elements.disagree.checked;
  only.differs = form.elements.differs?.checked ?? false;
  matrix.classList.toggle("differing", only.differs);
  let shown = 0;
  for (const section of all("section.scenario")) {
    const hits = only.scenario && section.dataset.scenario !== only.scenario
      ? 0 : filterSection(section, only);
    // Compared with defaults, a scenario without a difference shows its one line, without its table.
    const inOneLine = only.differs && "beside" in section.dataset && !only.disagree && !only.outcome.size
      && (!only.scenario || section.dataset.scenario === only.scenario);
    section.hidden = !hits && !inOneLine;
    $(".scroll", section).hidden = !hits;
    if (!section.classList.contains("control")) shown += all("td button:not(.faded)", section).filter(visible).length;
  }
  $("#shown").textContent = `${shown} cells shown`;
  $("button[type=reset]", form).hidden = !isNarrowed(only);
  $("#nothing").hidden = all("section.scenario").some((section) => !section.hidden);
  const first = all("#matrix td button").find(visible);
  if (first && !(tabbable && visible(tabbable))) rove(first);
}
const isNarrowed = (only) => Boolean(only.scenario || only.disagree || only.differs
  || axes.some((name) => only[name].size));
// Each returns how much of it is left to show; 0 hides it.
function filterSection(section, only) {
  section.hidden = false;
  const heads = all("thead th[data-offer]", section);
  const inColumns = heads.map(() => 0);
  let left = 0;
  for (const body of all("tbody", section)) {
    const here = passes(only.service, body.dataset.service);
    let inBody = 0;
    let build = null;
    for (const row of all("tr[data-build]", body)) {
      const rest = here && passes(only.build, row.dataset.build)
        && (!row.dataset.client || passes(only.client, row.dataset.client))
        ? filterRow(row, heads, only, inColumns) : 0;
      row.hidden = !rest;
      // The first row of a build that is shown has the build's name.
      row.classList.toggle("lead", Boolean(rest) && build !== row.dataset.build);
      if (rest) build = row.dataset.build;
      inBody += rest;
    }
    body.hidden = !inBody;
    left += inBody;
  }
  hideEmptyColumns(section, heads, inColumns, only);
  return left;
}
// A column without a cell that passes is left out, as a row is.
function hideEmptyColumns(section, heads, inColumns, only) {
  const anyCell = inColumns.some(Boolean);
  heads.forEach((head, at) => { head.hidden = anyCell ? !inColumns[at] : !passes(only.offer, head.dataset.offer); });
  for (const row of all("tr[data-client]", section)) {
    for (const cell of [...row.cells].slice(1)) cell.hidden = heads[cell.cellIndex - 1].hidden;
  }
}
// The table of defaults is what the others are compared with, so it is shown whole.
const differs = (button, section) => (section.classList.contains("control") ? false
  : !("beside" in section.dataset) || "beside" in button.dataset);
function filterRow(row, heads, only, inColumns) {
  const section = row.closest("section");
  const partly = only.disagree || only.outcome.size || (only.differs && "beside" in section.dataset);
  if ($(".gap", row)) return partly ? 0 : 1;
  let hits = 0;
  for (const cell of [...row.cells].slice(1)) {
    const button = $("button", cell);
    if (!button) continue;
    const column = cell.cellIndex - 1;
    const matches = passes(only.offer, heads[column].dataset.offer)
      && passes(only.outcome, button.dataset.outcome)
      && (!only.disagree || button.classList.contains("alarm"))
      && (!only.differs || differs(button, section));
    button.classList.toggle("faded", !matches);
    hits += matches;
    inColumns[column] += matches;
  }
  return hits;
}
form.addEventListener("change", () => { filter(); writeFilters(); });
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", (event) => { event.preventDefault(); clearFilters(); say(); });

form.hidden = false;
// On a narrow screen the list of scenarios would fill the first view.
if (window.matchMedia("(max-width: 64rem)").matches) $(".contents details").open = false;
window.addEventListener("beforeprint", () => { $(".legend").open = true; });
window.addEventListener("hashchange", follow);
window.addEventListener("popstate", follow);
follow();
