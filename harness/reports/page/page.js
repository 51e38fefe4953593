"use strict";
// Opens a cell's evidence, and filters the tables. Evidence is untrusted text: it enters the page
// through textContent only, never as HTML.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const panel = $("#panel");
  const matrix = $("#matrix");
  const form = $("#filters");
  const axes = ["service", "build", "client", "offer", "outcome"];
  const flags = ["disagree", "differs"];

  // ---- embedded data -------------------------------------------------------------------------
  const decoded = new Map();
  function decode(element) {
    if (!decoded.has(element)) decoded.set(element, unpack(element.textContent));
    return decoded.get(element);
  }
  async function unpack(base64) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }
  const blockOf = (scenario) =>
    all("script.evidence").find((element) => element.dataset.scenario === scenario);

  // ---- small builders ------------------------------------------------------------------------
  function el(tag, props = {}, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(props)) {
      if (key in node) node[key] = value;
      else node.setAttribute(key, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  const heading = (text) => el("h3", { textContent: text });
  const asLines = (content) =>
    Array.isArray(content) ? content.map(String) : String(content ?? "").replace(/\n+$/, "").split("\n");
  function pre(content, classOf = () => "") {
    const node = el("pre");
    for (const line of asLines(content)) {
      node.append(el("span", { className: `line ${classOf(line)}`, textContent: line + "\n" }));
    }
    return node;
  }
  const isEmpty = (content) => !content || (Array.isArray(content) ? !content.length : !String(content).trim());
  function block(title, content, { empty = null, classOf, warn = false } = {}) {
    if (isEmpty(content)) return empty ? [heading(title), el("p", { className: "dim agree", textContent: empty })] : [];
    return [heading(title), el("div", { className: warn ? "warn" : "" }, pre(content, classOf))];
  }
  function fold(title, content) {
    return isEmpty(content) ? [] : [el("details", {}, el("summary", { textContent: title }), pre(content))];
  }

  // ---- the panel -----------------------------------------------------------------------------
  function describe(seen, facts) {
    const sign = facts.signs[seen.outcome];
    let text = `${sign.glyph} ${sign.title}`;
    const view = seen.client_saw ?? seen.server_saw;
    if (view?.protocol) text += `, ${view.protocol}`;
    if (seen.stage) text += ` at ${seen.stage}`;
    if (seen.reason) text += `: ${facts.reasons[seen.reason] ?? seen.reason}`;
    return text;
  }
  function place(id, facts) {
    const [build, scenario, service, client, offer] = id.split("/");
    const image = facts.images[build];
    const versions = image?.postfix ? ` (Postfix ${image.postfix}, OpenSSL ${image.openssl})` : "";
    const only = offer.includes("..") ? "" : " only";
    const made = offer === "default" ? "as its user would run it" : `told to offer ${offer}${only}`;
    return `${client}, ${made}, to ${service} of ${build}${versions} under ${scenario}`;
  }
  function views(seen) {
    const fields = ["protocol", "cipher", "bits", "group"];
    const sides = [["client", seen.client_saw], ["server", seen.server_saw]];
    const differs = (field) => {
      const [client, server] = sides.map(([, view]) => view?.[field] ?? null);
      // Names of groups differ between libraries: only what the run calls a disagreement is marked.
      return seen.agree === false && client !== null && server !== null && client !== server;
    };
    const head = el("tr", {}, el("td"), ...fields.map((f) => el("th", { scope: "col", textContent: f })));
    const rows = sides.map(([side, view]) =>
      el("tr", {}, el("th", { scope: "row", textContent: `${side} saw` }),
        ...fields.map((field) => el("td", {
          className: differs(field) ? "differs" : "", textContent: view?.[field] ?? "–" }))));
    return el("table", { className: "views" }, el("thead", {}, head), el("tbody", {}, ...rows));
  }
  function agreement(seen) {
    if (seen.agree === true) return el("p", { className: "agree", textContent: "Client and server agree." });
    if (seen.agree === false) {
      return el("p", { className: "agree no", textContent: "Client and server disagree about what was negotiated." });
    }
    return el("p", { className: "agree dim", textContent: "Not compared: one side has no view." });
  }
  function negotiated(seen) {
    if (!seen.client_saw && !seen.server_saw) return [];
    return [heading("What was negotiated"), views(seen), agreement(seen)];
  }
  function comparison(entry, facts) {
    if (!entry.beside) return [];
    return [heading(facts.titles.beside), el("p", { className: "agree", textContent: entry.beside })];
  }
  // Each obstacle with the settings that belong to it, as they are in effect for the service.
  function obstacles({ seen, evidence, settings = {} }, facts) {
    if (!seen.obstacles?.length) return [];
    const { controls = {}, files = [] } = evidence?.grounds ?? {};
    const copies = Object.entries(controls).map(([id, outcome]) =>
      el("p", { className: "agree" }, `${facts.signs[outcome]?.glyph ?? ""} ${outcome}: `,
        el("code", {}, el("a", { href: "#" + id, textContent: id }))));
    const lines = seen.obstacles.flatMap((name) => [
      el("p", { className: "agree", textContent: facts.obstacles[name] ?? name }),
      ...(settings[name]?.length ? [pre(settings[name])] : [])]);
    return [heading(seen.obstacles.length > 1 ? "Obstacles, each sufficient alone" : "Obstacle"),
      ...lines,
      ...(files.length ? [el("p", { className: "agree" }, "system files: ", el("code", { textContent: files.join(", ") }))] : []),
      ...copies];
  }
  function control(seen, facts) {
    if (!seen.control) return [];
    const outcome = facts.controls[seen.control];
    const link = el("a", { href: "#" + seen.control, textContent: seen.control });
    const sign = outcome ? `${facts.signs[outcome].glyph} ${facts.signs[outcome].title}` : "not in this run";
    return [heading("Control: the same client and offer against a permissive server"),
      el("p", { className: "agree" }, `${sign} `, el("code", {}, link))];
  }
  const speaker = (line) => (/^S:/.test(line) ? "server" : "");
  const isDecisive = (line) =>
    /TLS connection established|SSL_accept error|warning:|fatal:|TLS library problem|reject:/.test(line) ? "key" : "";
  const isComplaint = (line, facts) => new RegExp(facts.complaint).test(line);
  // A reply decided if it is an error, or if it accepted the message.
  const decided = (client) => client.reply?.code >= 400 || client.queue_id;
  function bothSides(evidence, isControl, { titles }) {
    if (!evidence) return [el("p", { className: "dim", textContent: "The run folder has no evidence file of this cell." })];
    const client = evidence.client ?? {};
    const { code = "", text = client.reply } = client.reply ?? {};
    const reply = client.reply ? `${code} ${text}` : "";
    return [
      ...block("The client’s error", client.error),
      ...block(isControl ? titles.control_log : evidence.peer_log ? titles.sender_log : titles.log, evidence.log,
        { empty: "nothing", classOf: isDecisive }),
      ...block(titles.peer_log, evidence.peer_log, { classOf: isDecisive }),
      ...block(decided(client) ? titles.deciding_reply : titles.last_reply, reply),
      ...block("The client’s dialogue", client.dialogue, { empty: "none", classOf: speaker }),
      ...block("Received header of the message as delivered", evidence.received),
      ...block("Notes of the harness", evidence.notes),
    ];
  }
  function checkOutput({ check, checked }, facts) {
    const lines = isEmpty(check) ? [] : asLines(check);
    const first = lines.filter((line) => isComplaint(line, facts));
    const rest = lines.filter((line) => !isComplaint(line, facts));
    const missing = checked === false ? facts.titles.not_checked : null;
    return [...block(facts.titles.check, [...first, ...rest],
      { empty: missing ? null : "nothing", warn: first.length > 0, classOf: (line) => (isComplaint(line, facts) ? "key" : "") }),
      missing ? el("p", { className: "agree dim", textContent: missing }) : null];
  }
  function configuration(instance, isControl, facts) {
    if (!instance && isControl) return [];
    if (!instance) {
      return [heading("Configuration of this Postfix"),
        el("p", { className: "agree no", textContent: facts.titles.no_configuration })];
    }
    const files = Object.entries(instance.files ?? {}).map(([path, kind]) => `${path}  ${kind}`);
    return [
      heading("Configuration of this Postfix"),
      instance.started === false
        ? el("p", { className: "agree no", textContent: "Postfix did not start with it." }) : null,
      ...checkOutput(instance, facts),
      ...fold("postconf -n", instance.postconf_n),
      ...fold("main.cf as applied", instance["main.cf"]),
      ...fold("master.cf as applied", instance["master.cf"]),
      ...fold("what the harness added", instance.added),
      ...fold("test files at paths that the candidate names", files),
      ...fold("log of the start", instance.startup),
    ].filter((node) => node !== null);
  }
  function provenance(id, entry, facts) {
    const [build] = id.split("/");
    const image = facts.images[build];
    const lines = [`postfix-matrix show ${id}`];
    if (image) lines.push(`image ${image.reference}`, `id    ${image.id}`);
    if (image?.build_log) lines.push(`build log ${image.build_log}`);
    if (entry.seen?.measured) lines.push(`measured ${entry.seen.measured}, run ${entry.seen.run}`);
    if (entry.seen?.config) lines.push(`config ${entry.seen.config}`);
    const origin = entry.seen?.taken_over;
    if (origin) lines.push(`taken over: measured by run ${origin.run} of ${origin.measured}`);
    if (typeof entry.seen?.seconds === "number") lines.push(`took ${(entry.seen.seconds * 1000).toFixed(0)} ms`);
    const file = entry.seen?.evidence;
    const safe = file && /^evidence\//.test(file);
    return [heading("Where this comes from"), pre(lines),
      safe ? el("p", { className: "agree" }, el("a", { href: encodeURI(file), textContent: "evidence file" }),
        " (in the run folder, next to this page)") : null].filter((node) => node !== null);
  }
  function marks(id, facts) {
    const notes = facts.images[id.split("/")[0]]?.notes ?? [];
    return notes.map((note) => el("p", { className: "agree" },
      el("span", { className: facts.warnings.includes(note) ? "badge warning" : "badge", textContent: note }),
      ` ${facts.notes[note]}`));
  }
  function verdict(id, entry, facts) {
    const outcome = entry.seen?.outcome ?? "not-measured";
    const text = entry.seen ? describe(entry.seen, facts) : `? not measured: ${entry.why}`;
    return el("h2", { id: "panel-title", className: `verdict ${outcome}`, tabIndex: -1, textContent: text });
  }
  function tools() {
    const copy = el("button", { type: "button", textContent: "copy link" });
    copy.addEventListener("click", () => copyAddress(copy));
    const close = el("button", { type: "button", textContent: "✕", title: "close (Escape)", "aria-label": "close" });
    close.addEventListener("click", () => shut());
    return el("div", { className: "tools" }, copy, close);
  }
  async function copyAddress(button) {
    try {
      await navigator.clipboard.writeText(location.href);
      button.textContent = "copied";
    } catch {
      button.textContent = "see address bar";
    }
  }
  function fill(id, entry, instance, facts) {
    const scenario = id.split("/")[1];
    panel.replaceChildren(
      el("div", { className: "bar" }, verdict(id, entry, facts), tools()),
      el("p", { className: "where", textContent: place(id, facts) }),
      ...marks(id, facts),
      facts.claims[scenario] ? el("p", { className: "dim agree", textContent: `Claim: ${facts.claims[scenario]}` }) : "",
      ...(entry.seen ? negotiated(entry.seen) : []),
      ...(entry.seen ? obstacles(entry, facts) : []),
      ...comparison(entry, facts),
      ...(entry.seen ? bothSides(entry.evidence, id.startsWith(facts.control_prefix), facts) : []),
      ...(entry.seen ? control(entry.seen, facts) : []),
      ...(entry.seen ? configuration(instance, id.startsWith(facts.control_prefix), facts) : []),
      ...provenance(id, entry, facts),
    );
  }

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
    notice.replaceChildren(...content);
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
    notice.scrollIntoView({ block: "center" });
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
})();
