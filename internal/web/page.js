// The live page. Positions come as server-sent events, all else is asked for
// now and then; addresses are relative, for a proxy may add a prefix. Names are written by others: they reach the page as text only.

const pollEvery = 2_000; // ms between looks at the streams
const slotsEvery = 10_000;
const drawEvery = 200; // at most so often is a moving number drawn
const answerWithin = 8_000; // no answer for so long: the daemon cannot be reached
const chartWindow = 300_000;
const rateWindow = 10_000;
const gap = 20_000; // nobody looked for so long: the chart does not pretend
const heldAfter = 1_500; // shorter is everyday life and not worth a word
const spokenEvery = 5_000;
const writersShown = 20;
const holdersShown = 5;
const namesShown = 3;
const openUpTo = 2; // so few streams show their details from the start

const $ = id => document.getElementById(id);

// --- Text ---

const counts = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

// Characters that cannot be seen or that turn the text around them.
const unseen = /[\p{Cc}\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

function visible(text) {
  return text.replace(unseen, c => `\\u{${c.codePointAt(0).toString(16)}}`);
}

function time(ms) {
  const at = new Date(ms);
  return (Math.abs(Date.now() - at) < 12 * 3600_000 ? clock : day).format(at);
}

function span(seconds) {
  const s = Math.max(0, Math.round(seconds)), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
  if (d) return `${d} d ${h % 24} h`;
  if (h) return `${h} h ${m % 60} min`;
  return m ? `${m} min ${s % 60} s` : `${s} s`;
}

function size(bytes) {
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (Math.abs(bytes) < 1024) return `${bytes < 10 && unit !== "B" ? bytes.toFixed(1) : Math.round(bytes)} ${unit}`;
    bytes /= 1024;
  }
  return `${bytes.toFixed(1)} TiB`;
}

const plural = (n, one, many = one + "s") => `${counts.format(n)} ${n === 1 ? one : many}`;
const quoted = text => "'" + text.replaceAll("'", "''") + "'";

// --- Elements ---

const svgSpace = "http://www.w3.org/2000/svg";

function element(tag, attributes = {}, ...children) {
  const svg = tag === "svg" || tag === "path";
  const e = svg ? document.createElementNS(svgSpace, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

const row = (...cells) => element("tr", { role: "row" }, ...cells);
const rowHeader = (...children) => element("th", { role: "rowheader", scope: "row" }, ...children);
const columnHeader = (text, attributes = {}) => element("th", { role: "columnheader", scope: "col", ...attributes }, text);
const cell = (label, kind = "", ...children) =>
  element("td", { role: "cell", ...(label && { "data-label": label }), ...(kind && { class: kind }) }, ...children);

function put(e, text) {
  if (e.textContent !== text) e.textContent = text;
}

function attribute(e, name, value) {
  if (e.getAttribute(name) !== value) e.setAttribute(name, value);
}

function badge(e, kind, text) {
  attribute(e, "class", "badge " + kind);
  put(e, text);
}

// listOf keeps the children of parent that come after first like its items:
// one view {node, show(item)} for each key, made once and moved only if needed.
function listOf(parent, key, make, first = null) {
  let views = new Map();
  return items => {
    const old = views;
    views = new Map();
    for (const item of items) {
      const k = key(item), view = old.get(k) ?? make(item);
      old.delete(k);
      views.set(k, view);
      view.show(item);
    }
    for (const gone of old.values()) gone.node.remove();
    let next = first ? first.nextSibling : parent.firstChild;
    for (const { node } of views.values()) {
      if (node === next) next = next.nextSibling;
      else parent.insertBefore(node, next);
    }
  };
}

// --- Numbers ---

// Ids have 64 bits: those that a double cannot hold become BigInts.
function exact(key, value, context) {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && context ? BigInt(context.source) : value;
}

function parse(json) {
  return /[:,[]-?\d{16}/.test(json) ? JSON.parse(json, exact) : JSON.parse(json);
}

const id = n => (n === null ? "unknown" : String(n));
const magnitude = n => (n < 0 ? -n : n);

function distance(a, b) {
  return typeof a === typeof b ? Number(magnitude(a - b)) : Math.abs(Number(BigInt(a) - BigInt(b)));
}

function newestWriters(writers) {
  const sorted = Object.entries(writers).map(([name, n]) => ({ name, id: n, far: magnitude(n) }));
  return sorted.sort((a, b) => (a.far < b.far ? 1 : a.far > b.far ? -1 : a.name < b.name ? -1 : 1));
}

// --- What is known ---

const streams = new Map(); // by name
let slots = null; // null: not read yet
let slotsProblem = "";
let skew = 0; // the daemon's clock minus ours

const serverNow = () => Date.now() + skew;

function take(now) {
  let s = streams.get(now.name);
  if (!s) streams.set(now.name, (s = { name: now.name, samples: [], seen: new Map() }));
  const at = Date.now();
  if (s.epoch !== now.epoch) s.samples = [];
  Object.assign(s, now, { unsettled: unsettled(now) });
  if (s.unsettled !== null) s.samples.push({ at, position: s.position, unsettled: s.unsettled });
  while (s.samples[0]?.at < at - chartWindow) s.samples.shift();
  remember(s, at);
}

function unsettled(s) {
  return s.position === null || s.allocated === null ? null : distance(s.allocated, s.position);
}

const standbyBehind = "standby behind";

const holderKey = h => JSON.stringify([h.pid, h.gid, h.writer, h.since, h.state === standbyBehind && h.application_name]);

// remember notes since when each holder has been seen, to leave out the short ones.
function remember(s, at) {
  const seen = s.seen;
  s.seen = new Map(s.held_by.map(h => [holderKey(h), seen.get(holderKey(h)) ?? at]));
}

function held(s) {
  return s.held_by.filter(h =>
    Date.now() - s.seen.get(holderKey(h)) >= heldAfter || (h.since && serverNow() - Date.parse(h.since) >= heldAfter + 1000));
}

function rate(s) {
  const last = s.samples.at(-1), first = s.samples.find(p => p.at >= last?.at - rateWindow);
  if (!last || first === last) return "–";
  const perSecond = distance(last.position, first.position) / ((last.at - first.at) / 1000);
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : counts.format(perSecond);
}

// --- Words ---

// holderWords tells who holds a position back, and what to do about it.
function holderWords(h) {
  const app = h.application_name ? `application “${visible(h.application_name)}”` : "";
  const user = h.user ? `user ${visible(h.user)}` : "";
  const whose = [app, user].filter(Boolean).join(", ");
  const since = h.since ? ` since ${time(Date.parse(h.since) - skew)} (${span((serverNow() - Date.parse(h.since)) / 1000)})` : "";
  const of = whose && ` (${whose})`;
  if (h.gid !== null) {
    return {
      who: `Prepared transaction ${quoted(visible(h.gid))}${of} waits for its second phase${since}.`,
      what: "Commit it, or roll it back: ", sql: `ROLLBACK PREPARED ${quoted(visible(h.gid))}`,
    };
  }
  if (h.writer !== null) {
    return {
      who: `Writer “${visible(h.writer)}”${of} has announced nothing further${since}.`,
      what: "It moves with its next write. If the writer is gone for good, delete its row of the positions table.",
    };
  }
  if (h.state === standbyBehind) {
    return {
      who: `Standby ${quoted(visible(h.application_name ?? ""))} has not replayed so far${since}.`,
      what: "Look for a query there that conflicts with replay, for a pause of it, and at its load.",
    };
  }
  const state = h.state ? `; it is ${visible(h.state)}` : "";
  if (h.pid === null) return { who: `An open transaction${of} has drawn ids${since}${state}.`, what: "End that transaction." };
  return {
    who: `Process ${h.pid}${of} has drawn ids in a transaction that is open${since}${state}.`,
    what: "Let it commit or roll back. If nobody will: ", sql: `SELECT pg_terminate_backend(${h.pid})`,
  };
}

// troubles are the items of the first section, the worst first: what an operator
// looks for. What is so of several streams alike is one item: a server that is
// away, a transaction that drew ids of all of them.
function troubles() {
  const items = new Map();
  for (const s of streams.values()) {
    const add = (rank, about, words) => {
      const key = JSON.stringify([rank, ...about]);
      if (!items.has(key)) items.set(key, { key, rank, streams: [], ...words });
      items.get(key).streams.push(s.name);
    };
    if (s.late_rows > 0) {
      add(0, [s.name], { who: `${plural(s.late_rows, "row")} came in below a position already published.`, what: "Readers have missed them. The log names table, id and transaction of each." });
    }
    if (s.state !== "following") {
      const { text, rank } = stateWords[s.state] ?? { text: s.state, rank: 1 };
      add(rank, [s.state, s.reason], { who: text[0].toUpperCase() + text.slice(1) + (s.reason ? ": " + visible(s.reason) : ""), what: "" });
    }
    const holders = held(s);
    for (const h of holders.slice(0, holdersShown)) add(3, [holderKey(h)], holderWords(h));
    if (holders.length > holdersShown) add(3, [s.name], { who: `And ${plural(holders.length - holdersShown, "more transaction")}.`, what: "" });
  }
  return [...items.values()].sort((a, b) => a.rank - b.rank);
}

const stateWords = {
  starting: { text: "starting", kind: "idle", rank: 2 },
  following: { text: "following", kind: "ok" },
  catching_up: { text: "catching up", kind: "warn", rank: 2 },
  reconnecting: { text: "reconnecting", kind: "warn", rank: 2 },
  standby: { text: "standby", kind: "idle", rank: 4 },
  halted: { text: "halted", kind: "bad", rank: 1 },
};
const verdictKinds = { lost: "bad", at_risk: "bad", inactive: "warn", stalled: "warn", lagging: "warn", ok: "ok" }; // the worst first
const verdictRank = slot => Object.keys(verdictKinds).indexOf(slot.verdict);

function invalidation(slot) {
  if (slot.verdict === "lost") return "lost";
  if (slot.seconds_to_invalidation !== null) return slot.seconds_to_invalidation > 0 ? span(slot.seconds_to_invalidation) : "now";
  return slot.safe_wal_bytes === null ? "no limit" : "no WAL written";
}

function summary() {
  const all = [...streams.values()], following = all.filter(s => s.state === "following").length;
  const parts = [following === all.length ? `${plural(all.length, "stream")} following` : `${following} of ${plural(all.length, "stream")} following`];
  const heldBack = all.filter(s => held(s).length > 0).length, late = all.filter(s => s.late_rows > 0).length;
  if (heldBack) parts.push(`${heldBack} held back`);
  if (late) parts.push(`${late} with late rows`);
  const unwell = (slots ?? []).filter(s => s.verdict !== "ok").length;
  if (slots?.length) parts.push(unwell ? `${unwell} of ${plural(slots.length, "slot")} not well` : `${plural(slots.length, "slot")} ok`);
  return parts;
}

// --- Charts ---

function chart() {
  const area = element("path", { class: "area" }), line = element("path", { class: "line" });
  const svg = element("svg", { class: "chart", role: "img", viewBox: "0 0 300 100", preserveAspectRatio: "none" },
    element("path", { class: "base", d: "M0 100H300" }), area, line);
  return { svg, area, line };
}

function top(samples) {
  return samples.reduce((most, p) => Math.max(most, p.unsettled), 0);
}

// drawChart draws steps: what was seen holds until it is looked at again. Where
// nobody looked for long the line is interrupted.
function drawChart({ svg, area, line }, s, most, label) {
  const now = Date.now(), x = at => Math.max(0, 300 * (1 - (now - at) / chartWindow)).toFixed(1);
  let steps = "", filled = "", before = null;
  const close = at => { if (before) { steps += `H${at}`; filled += `H${at}V100Z`; } };
  for (const p of s.samples) {
    const y = (100 - (most ? (96 * p.unsettled) / most : 0)).toFixed(1);
    if (before && p.at - before.at < gap) {
      if (y !== before.y) { steps += `H${x(p.at)}V${y}`; filled += `H${x(p.at)}V${y}`; }
    } else {
      close(before && x(before.at));
      steps += `M${x(p.at)} ${y}`;
      filled += `M${x(p.at)} 100V${y}`;
    }
    before = { at: p.at, y };
  }
  close("300");
  attribute(line, "d", steps);
  attribute(area, "d", filled);
  attribute(svg, "aria-label", label);
}

// --- Views ---

let serial = 0;

function streamView({ name }) {
  const detail = detailView(name), button = element("button", { type: "button", class: "name" }, element("bdi", {}, visible(name)));
  const state = element("span"), spark = chart(), most = element("p");
  const note = element("span", { class: "badge warn" }, "held back"), late = element("span", { class: "badge bad" }, "late rows");
  const position = cell("Position", "num position"), allocated = cell("Allocated", "num");
  const waiting = cell("Unsettled", "num"), speed = cell("Ids a second", "num");
  const node = element("tbody", { role: "rowgroup" },
    row(rowHeader(button), cell("", "state", state, " ", note, " ", late), position, allocated, waiting, speed, cell("", "spark wide", spark.svg, most)), detail.node);
  detail.node.id = `detail-${++serial}`;
  button.setAttribute("aria-controls", detail.node.id);
  const open = is => { button.setAttribute("aria-expanded", is); detail.node.hidden = !is; };
  open(streams.size <= openUpTo);
  button.addEventListener("click", () => { open(detail.node.hidden); if (!detail.node.hidden) detail.show(streams.get(name)); });
  const move = s => {
    put(position, id(s.position));
    put(allocated, id(s.allocated));
  };
  return {
    node,
    move,
    show(s) {
      const words = stateWords[s.state] ?? { text: s.state, kind: "idle" }, holders = held(s);
      badge(state, words.kind, words.text);
      note.hidden = holders.length === 0;
      late.hidden = !s.late_rows;
      move(s);
      put(waiting, s.unsettled === null ? "unknown" : counts.format(s.unsettled));
      put(speed, rate(s));
      const high = top(s.samples);
      put(most, `at most ${counts.format(high)}`);
      drawChart(spark, s, high, `Unsettled ids of ${visible(name)} in the last 5 minutes: ${s.unsettled ?? "unknown"} now, at most ${counts.format(high)}`);
      if (!detail.node.hidden) detail.show(s);
    },
  };
}

function detailView(name) {
  const big = chart(), most = element("span"), writers = writersView(name);
  const facts = ["Moved", "Epoch", "WAL", "Late rows"].map(title => ({ title, value: element("dd") }));
  const dl = element("dl", {}, ...facts.flatMap(f => [element("dt", {}, f.title), f.value]));
  const axis = element("p", { class: "axis", "aria-hidden": "true" }, element("span", {}, "5 minutes ago"), element("span", {}, "now"));
  const figure = element("figure", {}, element("figcaption", { class: "axis" }, element("span", {}, "Unsettled ids: drawn, and not yet known to be committed or gone"), most), big.svg, axis);
  const node = element("tr", { role: "row", class: "detail" },
    element("td", { role: "cell", colspan: 7 }, element("div", { class: "parts" }, element("div", {}, figure, dl), writers.node)));
  return {
    node,
    show(s) {
      const high = top(s.samples), moved = s.moved_at && Date.parse(s.moved_at);
      put(most, `at most ${counts.format(high)}`);
      drawChart(big, s, high, `Unsettled ids of ${visible(name)} in the last 5 minutes, larger: ${s.unsettled ?? "unknown"} now, at most ${counts.format(high)}`);
      const values = [moved ? `${time(moved - skew)}, ${span((serverNow() - moved) / 1000)} ago` : "not yet", s.epoch ?? "unknown", s.lsn ?? "unknown", counts.format(s.late_rows)];
      facts.forEach((f, i) => put(f.value, visible(values[i])));
      writers.show(s);
    },
  };
}

function writersView(stream) {
  const body = element("tbody", { role: "rowgroup" }), caption = element("caption");
  const more = element("button", { type: "button", class: "more", "aria-expanded": "false" });
  const head = element("thead", { role: "rowgroup" }, row(columnHeader("Writer"), columnHeader("Newest id", { class: "num" })));
  const table = element("table", { role: "table", class: "writers" }, caption, head, body);
  const show = listOf(body, w => w.name, w => {
    const value = cell("", "num");
    const node = row(rowHeader(element("bdi", {}, w.name === "" ? "(no name)" : visible(w.name))), value);
    return { node, show: now => put(value, id(now.id)) };
  });
  const all = () => more.getAttribute("aria-expanded") === "true";
  const draw = s => {
    const sorted = newestWriters(s.writers), rest = sorted.length - writersShown;
    put(caption, sorted.length ? `${plural(sorted.length, "writer")} of ${visible(stream)}, the newest first` : `No writer of ${visible(stream)} seen yet`);
    head.hidden = !sorted.length;
    more.hidden = rest <= 0;
    put(more, all() ? `Show the newest ${writersShown} only` : `Show ${counts.format(rest)} more`);
    show(all() ? sorted : sorted.slice(0, writersShown));
  };
  more.addEventListener("click", () => { more.setAttribute("aria-expanded", !all()); draw(streams.get(stream)); });
  return { node: element("div", {}, table, more), show: draw };
}

function troubleView() {
  const names = element("span", { class: "who" }), who = element("span"), what = element("span"), sql = element("code");
  const node = element("li", {}, names, who, element("span", { class: "do" }, what, sql));
  let shown = "";
  return {
    node,
    show(t) {
      const now = JSON.stringify([t.streams, streams.size]);
      if (now !== shown) names.replaceChildren(...streamNames(t.streams));
      shown = now;
      put(who, t.who);
      put(what, t.what);
      put(sql, t.sql ?? "");
    },
  };
}

// streamNames lists streams, each isolated from the direction of its neighbours.
function streamNames(names) {
  if (names.length > namesShown && names.length === streams.size) return [`All ${plural(names.length, "stream")}`];
  const rest = names.length - namesShown;
  const parts = names.slice(0, namesShown).flatMap((name, i) => [i ? ", " : "", element("bdi", {}, visible(name))]);
  return rest > 0 ? [...parts, ` and ${plural(rest, "more stream")}`] : parts;
}

function slotView({ name }) {
  const about = element("small"), verdict = element("span"), reason = cell("", "wide"), kept = cell("WAL kept", "num"), left = cell("Invalidated in", "num");
  const node = element("tbody", { role: "rowgroup" }, row(rowHeader(element("bdi", {}, visible(name)), about), cell("", "state", verdict), reason, kept, left));
  return {
    node,
    show(s) {
      put(about, visible(`${s.plugin}, ${s.database}${s.temporary ? ", temporary" : ""}`));
      badge(verdict, verdictKinds[s.verdict] ?? "idle", s.verdict.replace("_", " "));
      put(reason, visible(s.reason));
      put(kept, s.retained_bytes === null ? "unknown" : size(Number(s.retained_bytes)));
      put(left, invalidation(s));
    },
  };
}

// --- Drawing ---

const rows = new Map(); // a stream's view by its name
const showStreams = listOf($("streams"), s => s.name, s => {
  const view = streamView(s);
  rows.set(s.name, view);
  return view;
}, $("streams").tHead);
const showTroubles = listOf($("held"), t => t.key, troubleView);
const showSlots = listOf($("slots"), s => s.name, slotView, $("slots").tHead);

function drawStreams() {
  const wanted = $("filter").value.trim().toLowerCase();
  const shown = [...streams.values()].filter(s => s.name.toLowerCase().includes(wanted));
  showStreams(shown);
  $("filter-label").hidden = streams.size <= 10;
  $("filter-none").hidden = shown.length > 0 || wanted === "";
}

function draw() {
  const items = troubles(), parts = summary();
  showTroubles(items);
  $("held-none").hidden = items.length > 0;
  put($("held-none"), "Nothing. Every stream is followed, and no open transaction or writer holds it back.");
  drawStreams();
  put($("summary"), parts.join(" · "));
  document.title = (items.length ? `(${items.length}) ` : "") + "Tidemark";
  const main = document.querySelector("main");
  if (main.hidden) performance.mark("tidemark first position");
  main.hidden = false;
  drawLink();
  speak(parts.join(", ") + ".");
}

function drawSlots() {
  showSlots((slots ?? []).toSorted((a, b) => verdictRank(a) - verdictRank(b)));
  $("slots").hidden = !slots?.length;
  $("slots-none").hidden = !!slots?.length && !slotsProblem;
  put($("slots-none"), slotsProblem || "This server has no logical replication slot.");
}

// speak tells a screen reader what has changed in kind; numbers it can look up.
// It is patient, but not with a connection that is lost or back.
const speech = { said: "", next: "", timer: 0 };

function speak(text) {
  if (!link.lostAt && !isLive()) return; // soon it is one or the other
  speech.next = linkWords() + " " + text;
  if (!speech.timer || !speech.said.startsWith(linkWords())) say();
}

function say() {
  clearTimeout(speech.timer);
  speech.timer = 0;
  if (speech.next === speech.said) return;
  put($("spoken"), (speech.said = speech.next));
  speech.timer = setTimeout(say, spokenEvery);
}

// --- The connection ---

// Live is both: events flow, and the last look was answered.
const link = { events: false, answers: false, lostAt: 0 };

function noteLink(change, failed = false) {
  Object.assign(link, change);
  if (isLive()) link.lostAt = 0;
  else if (failed) link.lostAt ||= Date.now();
  drawLink();
}

const isLive = () => link.events && link.answers;
const linkWords = () => (link.lostAt ? "Reconnecting." : "Live.");

function drawLink() {
  const live = isLive(), e = $("link"), silent = link.lostAt && !link.answers;
  if (link.lostAt) badge(e, "warn", `Reconnecting since ${time(link.lostAt)}`);
  else badge(e, live ? "ok" : "idle", live ? "Live" : "Connecting");
  $("lost").hidden = !silent;
  put($("lost"), silent ? `No answer from the daemon since ${time(link.lostAt)}; it is asked again every few seconds.${streams.size ? " What is shown was true then." : ""}` : "");
}

let session = null; // while the page is seen: what ends with it

async function ask(path) {
  const signal = AbortSignal.any([session.signal, AbortSignal.timeout(answerWithin)]);
  const response = await fetch(path, { signal, headers: { Accept: "application/json" } });
  if (response.status === 401) location.reload(); // the session is over: the form
  const date = Date.parse(response.headers.get("Date")) - Date.now();
  skew = Math.abs(date) > 3_000 ? date : 0;
  return { ok: response.ok, body: parse(await response.text()) };
}

// repeat calls look, and again some time after it has ended: the longer an
// answer took, the longer the pause. The result makes it look earlier.
function repeat(every, look) {
  const { signal } = session;
  let timer = 0, last = 0, busy = false;
  const run = async () => {
    if (busy || signal.aborted) return;
    busy = true;
    last = performance.now();
    const answered = await look(), took = performance.now() - last;
    busy = false;
    clearTimeout(timer);
    timer = setTimeout(run, answered ? Math.max(every, Math.min(10 * took, 5 * every)) : every);
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  run();
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, Math.max(50, last + 500 - performance.now()));
  };
}

async function lookAtStreams() {
  const { signal } = session;
  try {
    const { ok, body } = await ask("v1/streams");
    if (!ok) throw new Error(body.detail);
    const names = new Set(body.streams.map(s => s.name));
    for (const name of streams.keys()) if (!names.has(name)) streams.delete(name);
    for (const s of body.streams) take({ ...s, reason: s.reason ?? "" });
    noteLink({ answers: true });
    draw();
    return true;
  } catch {
    if (signal.aborted) return false;
    noteLink({ answers: false }, true);
    speak("");
    return false;
  }
}

async function lookAtSlots() {
  const { signal } = session;
  try {
    const { ok, body } = await ask("v1/slots");
    if (ok) slots = body.slots;
    slotsProblem = ok ? "" : visible(body.detail);
    drawSlots();
    return ok;
  } catch {
    return signal.aborted; // that the daemon does not answer is said elsewhere
  }
}

// follow listens to the events. Those of one stream replace each other until
// they are drawn; what comes before the position names stream and kind.
function follow(lookSoon) {
  const { signal } = session, waiting = new Map();
  let source, retry = 0, drawing = 0;
  const drawMoves = () => {
    drawing = 0;
    for (const data of waiting.values()) {
      const move = parse(data), s = streams.get(move.stream);
      if (!s) continue;
      if (held(s).length && s.position !== move.position) lookSoon();
      s.position = move.position;
      // Allocated is asked for less often; what is committed has been drawn.
      if (s.allocated !== null && magnitude(s.position) > magnitude(s.allocated)) s.allocated = s.position;
      rows.get(s.name)?.move(s);
    }
    waiting.clear();
  };
  const connect = () => {
    source = new EventSource("v1/events");
    source.onopen = () => {
      noteLink({ events: true });
      if (!link.answers) lookSoon();
    };
    source.onerror = () => {
      source.close(); // its own retry gives up after some answers
      noteLink({ events: false }, true);
      retry = setTimeout(connect, 1_000 + 1_000 * Math.random());
    };
    source.addEventListener("position", ({ data }) => {
      waiting.set(data.slice(0, data.indexOf(',"position":')), data);
      drawing ||= setTimeout(() => requestAnimationFrame(drawMoves), drawEvery);
    });
    source.addEventListener("state", lookSoon);
  };
  connect();
  signal.addEventListener("abort", () => { source.close(); clearTimeout(retry); clearTimeout(drawing); });
}

// A page that nobody sees asks for nothing, and keeps no connection.
function watch() {
  session?.abort();
  session = null;
  if (document.hidden) return;
  session = new AbortController();
  Object.assign(link, { events: false, answers: false, lostAt: 0 });
  follow(repeat(pollEvery, lookAtStreams));
  repeat(slotsEvery, lookAtSlots);
}

document.addEventListener("visibilitychange", watch);
$("filter").addEventListener("input", drawStreams);
watch();
