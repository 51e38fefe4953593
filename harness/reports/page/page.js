"use strict";
// Opens a cell's evidence, and filters the tables. Evidence is untrusted text: it enters the page
// through textContent only, never as HTML.
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const panel = $("#panel");
  const matrix = $("#matrix");
  const form = $("#filters");
  const axes = ["service", "build", "client", "outcome"];

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
  function obstacles(seen, evidence, facts) {
    if (!seen.obstacles?.length) return [];
    const { list = null, controls = {}, files = [] } = evidence?.grounds ?? {};
    const copies = Object.entries(controls).map(([id, outcome]) =>
      el("p", { className: "agree" }, `${facts.signs[outcome]?.glyph ?? ""} ${outcome}: `,
        el("code", {}, el("a", { href: "#" + id, textContent: id }))));
    const lines = seen.obstacles.map((name) => facts.obstacles[name] ?? name);
    return [heading(lines.length > 1 ? "Obstacles, each sufficient alone" : "Obstacle"),
      el("p", { className: "agree", textContent: lines.join("; ") }),
      ...(list === null ? [] : [el("p", { className: "agree" }, "protocol list: ", el("code", { textContent: list }))]),
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
  function checkOutput(check, facts) {
    const lines = isEmpty(check) ? [] : asLines(check);
    const first = lines.filter((line) => isComplaint(line, facts));
    const rest = lines.filter((line) => !isComplaint(line, facts));
    return block(facts.titles.check, [...first, ...rest],
      { empty: "nothing", warn: first.length > 0, classOf: (line) => (isComplaint(line, facts) ? "key" : "") });
  }
  function configuration(instance, facts) {
    if (!instance) return [];
    const files = Object.entries(instance.files ?? {}).map(([path, kind]) => `${path}  ${kind}`);
    return [
      heading("Configuration of this Postfix"),
      instance.started === false
        ? el("p", { className: "agree no", textContent: "Postfix did not start with it." }) : null,
      ...checkOutput(instance.check, facts),
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
      ...(entry.seen ? obstacles(entry.seen, entry.evidence, facts) : []),
      ...comparison(entry, facts),
      ...(entry.seen ? bothSides(entry.evidence, id.startsWith(facts.control_prefix), facts) : []),
      ...(entry.seen ? control(entry.seen, facts) : []),
      ...configuration(instance, facts),
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
    if (location.hash !== "#" + id) history.pushState(null, "", "#" + id);
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
    if (!keepAddress) history.pushState(null, "", "#");
  }

  // ---- addresses -----------------------------------------------------------------------------
  function follow() {
    const id = decodeURIComponent(location.hash.slice(1));
    const target = id ? document.getElementById(id) : null;
    if (target?.matches("#matrix button")) {
      if (!visible(target)) { form.reset(); filter(); }
      open(target, { block: "center" });
    } else {
      shut({ keepAddress: true });
    }
  }

  // ---- keyboard: arrows move between cells that are shown, one of them can be tabbed to ------------
  let tabbable = null;
  const visible = (button) => button.offsetParent !== null;
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
    const rows = all("tr[data-build]", matrix).filter((r) => r.cells.length > 2);
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
  function columnsOf(table) {
    return all("thead tr:last-child th[data-client]", table).map((th) => th.dataset.client);
  }
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
    $("#nothing").hidden = all("section.scenario").some((section) => !section.hidden);
    const first = all("#matrix td button").find(visible);
    if (first && !(tabbable && visible(tabbable))) rove(first);
  }
  // Each returns how much of it is left to show; 0 hides it.
  function filterSection(section, only) {
    section.hidden = false;
    for (const head of all("thead [data-client]", section)) head.hidden = !passes(only.client, head.dataset.client);
    let left = 0;
    for (const body of all("tbody", section)) {
      const here = passes(only.service, body.dataset.service);
      let inBody = 0;
      for (const row of all("tr[data-build]", body)) {
        const rest = here && passes(only.build, row.dataset.build)
          ? filterRow(row, columnsOf(section), only) : 0;
        row.hidden = !rest;
        inBody += rest;
      }
      body.hidden = !inBody;
      left += inBody;
    }
    return left;
  }
  // The table of defaults is what the others are compared with, so it is shown whole.
  const differs = (button, section) => (section.classList.contains("control") ? false
    : !("beside" in section.dataset) || "beside" in button.dataset);
  function filterRow(row, clients, only) {
    const section = row.closest("section");
    const partly = only.disagree || only.outcome.size || (only.differs && "beside" in section.dataset);
    if ($(".gap", row)) return partly ? 0 : 1;
    let hits = 0;
    for (const cell of [...row.cells].slice(1)) {
      cell.hidden = !passes(only.client, clients[cell.cellIndex - 1]);
      const button = $("button", cell);
      if (!button) continue;
      const matches = passes(only.outcome, button.dataset.outcome)
        && (!only.disagree || button.classList.contains("alarm"))
        && (!only.differs || differs(button, section));
      button.classList.toggle("faded", !matches);
      hits += matches && !cell.hidden;
    }
    return hits;
  }
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter)); // the event comes before the reset

  form.hidden = false;
  filter();
  window.addEventListener("hashchange", follow);
  window.addEventListener("popstate", follow);
  follow();
})();
