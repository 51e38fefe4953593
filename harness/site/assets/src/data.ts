// The site's data (docs/site-data.md), its addresses, and how it is read.

export interface Outcome { glyph: string; title: string; meaning: string }
export interface Named { id: string; href?: string }
export interface Build extends Named { postfix?: string; openssl?: string; title?: string; notes?: string[] }
export interface Client extends Named { about?: string; library?: string; versions?: string; aliases?: string[] }
export interface Scenario extends Named { title: string; claim?: string; facts: string; cells: number }
export interface Offer { id: string; short: string; title?: string }
export interface Run { id: string; started: string; finished: string | null }
export interface Labels {
  reasons: Record<string, string>; obstacles: Record<string, string>; titles: Record<string, string>;
  complaint: string; notes: Record<string, string>;
}
export interface Index {
  generated_at: string; licence: { id: string }; citation?: string; title?: string;
  runs: Run[]; builds: Build[]; clients: Client[]; scenarios: Scenario[];
  services: { id: string; title: string }[]; offers: Offer[];
  outcomes: Record<string, Outcome>; labels?: Partial<Labels>;
}

export interface Result {
  outcome: string; label: string; sentence: string; protocol?: string | null; cipher?: string | null;
  group?: string | null; bits?: number | null; stage?: string | null; reason?: string | null;
  decided_by?: string | null; obstacles?: string[]; agree?: boolean | null; trust?: string | null;
}
/** `data/v1/facts/SCENARIO.json`; `places` are indices of service, client, offer. */
export interface Facts {
  schema: number; scenario: string; title: string; claim?: string; baseline: string | null;
  builds: string[]; services: string[]; clients: string[]; offers: string[]; runs: string[];
  places: [number, number, number][]; results: Result[]; cells: number[][]; standing: string[];
  run: (number | number[])[]; evidence: string[][];
}
export type ShardsByBuild = Record<string, string | string[]>;
/** `evidence` by scenario: the path of the object, or itself in runs of earlier versions. */
export interface RunFile {
  facts: Record<string, string>; evidence: Record<string, string | ShardsByBuild>; incomplete: boolean;
}
/** `id_sign`: stands for the cell's id in its evidence. */
export interface Shard {
  build: string; scenario: string; id_sign?: string | null; run: string; measured?: string; cells: Record<string, Evidence>; instance: Instance | null;
}
export interface View { protocol?: string; cipher?: string; bits?: number; group?: string }
export interface Evidence {
  log?: string[]; peer_log?: string[]; received?: string | null; notes?: string[];
  client?: { error?: string | null; dialogue?: string[]; queue_id?: string | null;
    reply?: { code: number; text: string } | null };
  client_saw?: View | null; server_saw?: View | null;
  grounds?: { list?: string | null; controls?: Record<string, string>; files?: string[]; [key: string]: unknown };
  [key: string]: unknown;
}
export type Instance = Record<string, unknown>;

/** A planned cell without an observation. */
export const NOT_MEASURED = "not-measured";

/** The address of the site's root. */
export const ROOT = new URL(document.body.dataset.root || "./", location.href.split(/[?#]/)[0]);

/** An address below the site's root. */
export const siteAddress = (path: string): string => new URL(path, ROOT).href;

/** A name as it stands in a path: other bytes than A-Z a-z 0-9 . _ + - are ~XX, and + is %2B in a link. */
export function pathName(name: string): string {
  const bytes = new TextEncoder().encode(name);
  let text = "";
  bytes.forEach((byte, at) => {
    const sign = String.fromCharCode(byte);
    const plain = /[A-Za-z0-9._+-]/.test(sign) && !(sign === "." && at === 0);
    text += plain ? sign : `~${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  });
  return text.replaceAll("+", "%2B");
}

const names = new Map<string, string>();
/** The same, computed once: a table asks for each of its cells. */
function knownName(name: string): string {
  let text = names.get(name);
  if (text === undefined) names.set(name, text = pathName(name));
  return text;
}

export const fragment = (place: string): string => place.split("/").map(encodeURIComponent).join("/");

/** The page of a cell. `place`: SERVICE/CLIENT/OFFER. */
export const cellAddress = (build: string, scenario: string, place: string): string =>
  `${ROOT.href}cell/${knownName(build)}/${knownName(scenario)}/#${fragment(place)}`;

const loaded = new Map<string, Promise<unknown>>();

async function readBytes(path: string): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(siteAddress(path));
  } catch {
    throw new Error(location.protocol === "file:"
      ? "A browser reads no data for pages that are opened from the disk. Serve the folder, for example with: python3 -m http.server"
      : `${path} could not be loaded: the server does not answer.`);
  }
  if (!answer.ok) throw new Error(`${path} could not be loaded: ${answer.status} ${answer.statusText}`);
  return answer;
}

/** A JSON file below the root, read once; one that ends in .gz is decompressed if the host did not. */
export function readJson<T>(path: string): Promise<T> {
  const known = loaded.get(path);
  if (known) return known as Promise<T>;
  const reading = (async () => {
    const answer = await readBytes(path);
    if (!path.endsWith(".gz")) return answer.json();
    const bytes = new Uint8Array(await answer.arrayBuffer());
    if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return JSON.parse(new TextDecoder().decode(bytes));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).json();
  })();
  loaded.set(path, reading);
  reading.catch(() => loaded.delete(path));
  return reading as Promise<T>;
}

/** A value with the cell's id where the shard has the sign for it. */
function restoreId(value: unknown, sign: string, id: string): unknown {
  if (typeof value === "string") return value.replaceAll(sign, () => id);
  if (Array.isArray(value)) return value.map((part) => restoreId(part, sign, id));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key.replaceAll(sign, () => id), restoreId(part, sign, id)]));
}

/** A shard with one cell's evidence whole. */
function withEvidence(shard: Shard, place: string): Shard {
  const evidence = shard.cells[place];
  if (!shard.id_sign || !evidence) return shard;
  const whole = restoreId(evidence, shard.id_sign, `${shard.build}/${shard.scenario}/${place}`) as Evidence;
  return { ...shard, cells: { ...shard.cells, [place]: whole } };
}

/** The first of some shards, newest first, that has a cell's evidence; else the newest, for its configuration. */
export async function readEvidence(paths: string[], place: string): Promise<{ shard: Shard; path: string } | null> {
  let newest: { shard: Shard; path: string } | null = null;
  for (const path of paths) {
    const shard = await readJson<Shard>(path);
    if (place in shard.cells) return { shard: withEvidence(shard, place), path };
    newest ??= { shard, path };
  }
  return newest;
}

export const readIndex = (): Promise<Index> => readJson<Index>("data/v1/index.json");
