// A cell's evidence: both sides, what stood in the way, the configuration. All of it is untrusted text, and
// enters the page as text only.
import { ComponentChildren } from "preact";
import { Evidence, Index, Instance, Labels, Result, Shard, siteAddress } from "./data";

export interface CellPlace { build: string; scenario: string; service: string; client: string; offer: string }
export interface EvidenceProps {
  place: CellPlace; result: Result | null; shard: Shard | null; index: Index; shardPath: string | null; permanent: string; run?: string | null;
}

const TITLES: Record<string, string> = {
  log: "What Postfix logged for this connection", sender_log: "What Postfix logged for this message",
  peer_log: "What the peer logged", control_log: "What the control server logged",
  deciding_reply: "The SMTP reply that decided it", last_reply: "The last SMTP reply before QUIT",
  check: "Output of postfix check and postconf",
};
const DECISIVE = /TLS connection established|SSL_accept error|warning:|fatal:|TLS library problem|reject:/;

function labelsOf(index: Index): Labels {
  const labels = index.labels ?? {};
  return {
    reasons: labels.reasons ?? {}, obstacles: labels.obstacles ?? {}, notes: labels.notes ?? {},
    titles: { ...TITLES, ...labels.titles }, complaint: labels.complaint ?? "\\b(?:warning|error|fatal|panic):",
  };
}

const linesOf = (content: unknown): string[] =>
  Array.isArray(content) ? content.map(String)
    : content === null || content === undefined || content === "" ? [] : String(content).replace(/\n+$/, "").split("\n");

function Lines({ content, kind }: { content: unknown; kind?: (line: string) => string }) {
  return <pre>{linesOf(content).map((line) => <span class={`line ${kind?.(line) ?? ""}`}>{line + "\n"}</span>)}</pre>;
}
function Block(props: { title: string; content: unknown; kind?: (line: string) => string; empty?: string }) {
  const lines = linesOf(props.content);
  if (!lines.length && !props.empty) return null;
  return <><h3>{props.title}</h3>
    {lines.length ? <Lines content={lines} kind={props.kind} /> : <p class="dim">{props.empty}</p>}</>;
}
function Fold({ title, content }: { title: string; content: unknown }) {
  return linesOf(content).length ? <details><summary>{title}</summary><Lines content={content} /></details> : null;
}

function Negotiated({ evidence, result }: { evidence: Evidence; result: Result | null }) {
  const client = (evidence.client_saw ?? evidence.client ?? {}) as Record<string, unknown>;
  const server = evidence.server_saw as Record<string, unknown> | null | undefined;
  const sides: [string, Record<string, unknown>][] = [["client", client]];
  if (server) sides.push(["server", server]);
  else if (result?.protocol) sides.push(["decided", result as unknown as Record<string, unknown>]);
  if (!sides.some(([, side]) => side.protocol)) return null;
  const fields = ["protocol", "cipher", "bits", "group"];
  return <><h3>What was negotiated</h3>
    <table><thead><tr><th scope="col">side</th>{fields.map((field) => <th scope="col">{field}</th>)}</tr></thead>
      <tbody>{sides.map(([side, view]) => <tr><th scope="row">{side}</th>
        {fields.map((field) => <td>{String(view[field] ?? "–")}</td>)}</tr>)}</tbody></table>
    {result?.agree === true && <p>Client and server agree.</p>}
    {result?.agree === false && <p class="alarm">Client and server disagree about what was negotiated.</p>}</>;
}

function Obstacles({ result, evidence, labels }: { result: Result | null; evidence: Evidence; labels: Labels }) {
  const { controls = {}, ...grounds } = evidence.grounds ?? {};
  const names = result?.obstacles ?? [];
  if (!names.length) return null;
  const settings = Object.entries(grounds).filter(([, value]) => linesOf(value).length);
  return <><h3>{names.length > 1 ? "Obstacles, each sufficient alone" : "Obstacle"}</h3>
    <ul>{names.map((name) => <li>{labels.obstacles[name] ?? name}</li>)}</ul>
    {settings.map(([name, value]) => <Setting name={name} value={value} />)}
    {Object.entries(controls).map(([id, outcome]) => <p>The same client and offer at <code>{id}</code>: {outcome}.</p>)}</>;
}
/** A fact that an obstacle rests on: a list of texts, a text, or settings by their names. */
function Setting({ name, value }: { name: string; value: unknown }) {
  const title = { list: "setting", excluded: "excluded by it", files: "system files" }[name] ?? name.replaceAll("_", " ");
  const text = value !== null && typeof value === "object" && !Array.isArray(value)
    ? Object.entries(value).map(([key, entry]) => `${key} = ${linesOf(entry).join(", ")}`)
    : linesOf(typeof value === "object" && Array.isArray(value)
      ? value.map((entry) => (typeof entry === "object" ? JSON.stringify(entry) : String(entry))) : value);
  return <p>{title}: {text.map((line, at) => <>{at > 0 && ", "}<code>{line}</code></>)}</p>;
}

function BothSides({ evidence, labels, control }: { evidence: Evidence; labels: Labels; control: boolean }) {
  const client = evidence.client ?? {};
  const reply = client.reply;
  const decided = (reply?.code ?? 0) >= 400 || client.queue_id;
  const key = (line: string) => (DECISIVE.test(line) ? "key" : "");
  const { titles } = labels;
  return <>
    <Block title="The client’s error" content={client.error} />
    <Block title={control ? titles.control_log : evidence.peer_log ? titles.sender_log : titles.log} content={evidence.log} kind={key} empty="nothing" />
    <Block title={titles.peer_log} content={evidence.peer_log} kind={key} />
    <Block title={decided ? titles.deciding_reply : titles.last_reply} content={reply ? `${reply.code} ${reply.text}` : null} />
    <Block title="The client’s dialogue" content={client.dialogue} kind={(line) => (line.startsWith("S:") ? "server" : "")} empty="none" />
    <Block title="Received header of the message as delivered" content={evidence.received} />
    <Block title="Notes of the harness" content={evidence.notes} /></>;
}

function Configuration({ instance, labels }: { instance: Instance | null; labels: Labels }) {
  if (!instance) return <><h3>Configuration of this Postfix</h3><p class="dim">The run does not have it.</p></>;
  const complaint = new RegExp(labels.complaint);
  const check = linesOf(instance.check);
  const complains = check.some((line) => complaint.test(line));
  const ordered = [...check.filter((line) => complaint.test(line)), ...check.filter((line) => !complaint.test(line))];
  const files = Object.entries((instance.files ?? {}) as Record<string, string>).map(([path, kind]) => `${path}  ${kind}`);
  return <><h3>Configuration of this Postfix</h3>
    {instance.started === false && <p class="alarm">Postfix did not start with it.</p>}
    <div class={complains ? "complaints" : ""}>
      <Block title={labels.titles.check} content={ordered} kind={(line) => (complaint.test(line) ? "key" : "")} empty="nothing" /></div>
    <Fold title="postconf -n" content={instance.postconf_n} />
    <Fold title="main.cf as applied" content={instance["main.cf"]} />
    <Fold title="master.cf as applied" content={instance["master.cf"]} />
    <Fold title="what the harness added" content={instance.added} />
    <Fold title="test files at paths that the candidate names" content={files} />
    <Fold title="log of the start" content={instance.startup} /></>;
}

/** Everything known about one cell. */
export function EvidenceText({ place, result, shard, index, shardPath, permanent, run }: EvidenceProps): ComponentChildren {
  const labels = labelsOf(index);
  const evidence = shard?.cells[`${place.service}/${place.client}/${place.offer}`] ?? null;
  const build = index.builds.find((entry) => entry.id === place.build);
  const versions = build?.postfix ? ` (Postfix ${build.postfix}, OpenSSL ${build.openssl})` : "";
  const made = place.offer === "default" ? "as its users run it" : `told to offer ${place.offer}`;
  const outcome = result ? index.outcomes[result.outcome] : undefined;
  const measured = shard ? ` Evidence of run ${shard.run}${shard.measured ? `, measured ${shard.measured}` : ""}.` : "";
  const apart = run && run !== shard?.run ? ` Result of run ${run}.` : "";
  return <div class="evidence">
    {result && <p class={`o o-${result.outcome}`}>{outcome?.glyph} {result.sentence}</p>}
    <p>{place.client}, {made}, to {place.service} of {place.build}{versions} with {place.scenario}.
      {apart}{measured}</p>
    {evidence ? <><Negotiated evidence={evidence} result={result} />
      <Obstacles result={result} evidence={evidence} labels={labels} />
      <BothSides evidence={evidence} labels={labels} control={place.build.startsWith("control-")} /></>
      : <p class="note">There is no evidence of this cell.</p>}
    <Configuration instance={shard?.instance ?? null} labels={labels} />
    <h3>Where this comes from</h3>
    <p>Permanent address: <a href={permanent}>{place.build}/{place.scenario}/{place.service}/{place.client}/{place.offer}</a>.
      {shardPath && <> All evidence of this build with this advice: <a href={siteAddress(shardPath)}>JSON, gzip</a>.</>}</p>
  </div>;
}
