// The first part of the page's script: reads the embedded evidence, and shows it in the panel. It is
// untrusted text: it enters the page through textContent only, never as HTML. The parts share one
// function's scope (harness/reports/html.py).
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
function checkOutput({ check, checked }, isControl, facts) {
  const lines = isEmpty(check) ? [] : asLines(check);
  const first = lines.filter((line) => isComplaint(line, facts));
  const rest = lines.filter((line) => !isComplaint(line, facts));
  // The check is not run for the harness's own servers.
  const missing = checked === false && !isControl ? facts.titles.not_checked : null;
  return [...block(facts.titles.check, [...first, ...rest],
    { empty: checked === false ? null : "nothing", warn: first.length > 0, classOf: (line) => (isComplaint(line, facts) ? "key" : "") }),
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
    ...checkOutput(instance, isControl, facts),
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
