// The page that sends this browser through the cases.

import { select, Walk } from "./cases.js";

const at = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const TONES = {
  OK: ["pass", "✓"],
  "NON-STRICT": ["warn", "!"],
  INFORMATIONAL: ["info", "○"],
  UNIMPLEMENTED: ["none", "–"],
  skipped: ["none", "–"],
  "no verdict": ["none", "–"],
  "given up": ["none", "–"],
};

let server;
let walk = null;
let rows = new Map();

async function main() {
  at("agent").value = query.get("agent") ?? nameOf(navigator.userAgent);
  at("cases").value = query.get("cases") ?? "";
  at("exclude").value = query.get("exclude") ?? "";
  try {
    server = await (await fetch("/server.json")).json();
  } catch {
    return fault("The server", "does not answer. Start it again and reload this page.");
  }
  server.cases.forEach((one, index) => (one.place = index + 1));
  at("tool").textContent = server.tool;
  at("ids").append(...server.cases.map(({ id, title }) => new Option(title, id)));
  for (const field of ["cases", "exclude", "agent"]) at(field).addEventListener("input", choose);
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    start();
  });
  at("stop").addEventListener("click", stop);
  at("skip").addEventListener("click", () => walk?.skip());
  choose();
  if (query.get("start") === "1" && !at("start").disabled) start();
}

/** Says what the fields select. */
function choose() {
  const chosen = select(server.cases, at("cases").value, at("exclude").value);
  const [count, all] = [chosen.cases.length, server.cases.length];
  let words = count === all ? `all ${all} cases` : `${count} of ${all} cases`;
  if (chosen.idle.length > 0) words = `${chosen.idle.join(", ")}: no such case`;
  else if (count === 0) words = "no case is left";
  const good = chosen.idle.length === 0 && count > 0;
  at("selected").textContent = words;
  at("selected").className = good ? "muted" : "fail";
  at("cases").setAttribute("aria-invalid", String(!good));
  at("start").disabled = !good || at("agent").value.trim() === "" || walk !== null;
  return chosen.cases;
}

async function start() {
  const cases = choose();
  const agent = at("agent").value.trim();
  const view = new View(agent, cases);
  const base = `${server.secure ? "wss" : "ws"}://${location.hostname}:${server.port}`;
  walk = new Walk(base, agent, view);
  lock(true);
  try {
    view.over(await walk.run(cases));
  } catch (error) {
    view.over("broken", `This browser cannot go on: ${error.message || error}`);
  }
  walk = null;
  lock(false);
  choose();
}

function stop() {
  walk?.stop();
  at("stop").textContent = "Stop now";
}

function lock(locked) {
  // Whoever works by keyboard stays where they are.
  const focused = document.activeElement;
  for (const field of ["agent", "cases", "exclude"]) at(field).disabled = locked;
  at("start").disabled = locked;
  at("stop").hidden = !locked;
  at("stop").textContent = "Stop";
  if (locked && focused === at("start")) at("stop").focus();
  if (!locked && focused === at("stop")) at("start").focus();
  if (locked) at("fault").hidden = true;
}

/** What is seen of a run. */
class View {
  #agent;
  #cases;
  #counts = new Map();
  #done = 0;
  /** The case at work. */
  #case = "";
  #began = performance.now();
  #clock;
  #said = performance.now();

  constructor(agent, cases) {
    this.#agent = agent;
    this.#cases = cases;
    rows = new Map();
    at("rows").replaceChildren();
    at("counts").replaceChildren();
    at("bar").max = cases.length;
    at("bar").value = 0;
    at("links").hidden = true;
    at("progress").className = "panel hero";
    at("progress").hidden = at("results").hidden = false;
    this.#squares();
    this.#tick();
    this.#clock = setInterval(() => this.#tick(), 250);
    this.#say(`${cases.length} cases begin`);
  }

  started(one) {
    this.#case = one.id;
    at("quiet").hidden = true;
    at("now").textContent = `${one.id} ${one.title}`;
    rows.get(one.id).square.className = "now";
  }

  quiet(ms, left) {
    const [seconds, rest] = [Math.round(ms / 1000), Math.round(left / 1000)];
    at("quiet-text").textContent = `No message for ${seconds} s. It is given up in ${rest} s.`;
    if (at("quiet").hidden) this.#say("The case is quiet; there is a button to go on without it");
    at("quiet").hidden = false;
  }

  judged(one, verdict, took) {
    const [tone, symbol] = TONES[verdict] ?? ["fail", "✗"];
    const kind = { pass: "fine", info: "fine", fail: "bad" }[tone] ?? "odd";
    const link = make("a", `${symbol} ${verdict}`);
    const toned = make("span", link);
    const cells = [one.id, one.title, toned, Math.round(took)].map((content) => make("td", content));
    const row = make("tr", ...cells);
    row.className = kind;
    row.firstChild.className = "id";
    row.lastChild.className = "n";
    toned.className = tone;
    at("rows").append(row);
    Object.assign(rows.get(one.id), { link });
    rows.get(one.id).square.className = tone;
    this.#done += 1;
    at("bar").value = this.#done;
    this.#count(verdict, tone);
    this.#tick();
    // Who listens does not want to hear every case.
    if (performance.now() - this.#said > 10_000) {
      this.#say(`${this.#done} of ${this.#cases.length} cases, ${this.#words()}`);
    }
  }

  reporting() {
    at("quiet").hidden = true;
    at("now").textContent = "The report is being written";
  }

  /** Says how it ended; `why` if this browser is why. */
  over(end, why = "") {
    clearInterval(this.#clock);
    at("quiet").hidden = true;
    const all = this.#cases.length;
    const few = `${this.#done} of ${all} cases`;
    const bad = at("rows").querySelectorAll(".bad").length;
    const fine = ["OK", "NON-STRICT", "INFORMATIONAL"];
    const passed = fine.reduce((sum, verdict) => sum + (this.#counts.get(verdict)?.n ?? 0), 0);
    let passes = passed === all ? `passes all ${all} cases` : `passes ${passed} of ${all} cases`;
    if (passed === 1 && all === 1) passes = "passes the case";
    const texts = {
      done: [
        `${this.#agent} ${bad > 0 ? `fails ${bad} of ${all} cases` : passes}`,
        `It took ${spent(performance.now() - this.#began)}. The report is written.`,
      ],
      stopped: [`Stopped after ${few}`, "The report is written, with what was judged by then."],
      gone: [
        `The server does not answer any more since case ${this.#case}`,
        this.#done === 0 && server.secure
          ? // Some browsers take a certificate for one port at a time.
            `If its certificate is signed by itself, open https://${location.hostname}:${server.port}/ and accept it.`
          : `${few} were done, and its report has them. To begin again, start it and reload this page.`,
      ],
      broken: [`Broken off after ${few}`, why],
    };
    const [state, now] = texts[end];
    at("state").textContent = document.title = state;
    at("now").textContent = now;
    const failed = bad > 0 || end === "gone" || end === "broken";
    const odd = end === "stopped" || at("rows").querySelector(".odd");
    at("progress").className = `panel hero ${failed ? "fail" : odd ? "warn" : "pass"}`;
    for (const { square } of rows.values()) square.classList.remove("now");
    at("links").hidden = end === "gone" || end === "broken";
    this.#say(`${state}. ${this.#words()}. ${now}`);
    if (!at("links").hidden) this.#link();
  }

  /** Links verdicts with their pages, where the report names them. */
  async #link() {
    try {
      const index = await (await fetch("/reports/index.json")).json();
      for (const [id, { reportfile }] of Object.entries(index[this.#agent] ?? {})) {
        const link = rows.get(id)?.link;
        if (link) link.href = `/reports/${encodeURIComponent(reportfile.replace(/json$/, "html"))}`;
      }
    } catch {
      // A server that was told to end with this run is gone, and its files are on its disk.
      at("links").hidden = true;
      at("now").textContent += " The server has ended.";
    }
  }

  #tick() {
    const time = spent(performance.now() - this.#began);
    const n = Math.min(this.#done + 1, this.#cases.length);
    at("state").textContent = `Case ${n} of ${this.#cases.length}, ${time}`;
    document.title = `${this.#done}/${this.#cases.length} ${this.#agent}`;
  }

  #count(verdict, tone) {
    let entry = this.#counts.get(verdict);
    if (!entry) {
      entry = { n: 0, figure: make("b", "0") };
      entry.figure.className = tone;
      this.#counts.set(verdict, entry);
      at("counts").append(make("li", entry.figure, ` ${verdict}`));
    }
    entry.n += 1;
    entry.figure.textContent = entry.n;
  }

  /** A square for each case, in the order of the catalogue. */
  #squares() {
    const sections = new Map();
    for (const { id } of this.#cases) {
      const name = id.split(".")[0];
      if (!sections.has(name)) {
        const squares = make("div");
        squares.className = "squares";
        sections.set(name, squares);
      }
      const square = make("i");
      square.title = id;
      sections.get(name).append(square);
      rows.set(id, { square });
    }
    const part = ([name, squares]) => {
      const title = make("p", `${name} ${server.sections[name] ?? ""}`);
      return make("div", title, squares);
    };
    at("sections").replaceChildren(...[...sections].map(part));
  }

  #words() {
    return [...this.#counts].map(([verdict, { n }]) => `${n} ${verdict}`).join(", ");
  }

  #say(text) {
    this.#said = performance.now();
    at("live").textContent = text;
  }
}

function make(name, ...children) {
  const node = document.createElement(name);
  node.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return node;
}

function spent(ms) {
  const seconds = Math.floor(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** A short name out of what a browser says of itself. Many name others beside themselves. */
function nameOf(text) {
  const known = [
    [/Edg(?:A|iOS)?\/(\d+)/, "Edge"],
    [/OPR\/(\d+)/, "Opera"],
    [/SamsungBrowser\/(\d+)/, "Samsung Internet"],
    [/(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
    [/(?:Chrome|CriOS)\/(\d+)/, "Chrome"],
    [/Version\/(\d+).*Safari/, "Safari"],
  ];
  for (const [pattern, name] of known) {
    const version = pattern.exec(text)?.[1];
    if (version) return `${name} ${version}`;
  }
  return "Browser";
}

function fault(who, what) {
  at("fault").replaceChildren(make("b", who), ` ${what}`);
  at("fault").firstChild.className = "fail";
  at("fault").hidden = false;
}

main();
