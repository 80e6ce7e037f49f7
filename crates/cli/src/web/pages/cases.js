// What a client of a fuzzing server does: asks, echoes, and asks again. Knows nothing of the page.

/** The server could not be connected to. */
export class Unreachable extends Error {}

/** How long an answer to a question may take, in ms. */
const ANSWER = 20_000;
/** After so long without a message, somebody may want to know. */
const QUIET = 15_000;
/** After so long without a message, a case is given up. Cases end by themselves much sooner. */
const GIVEN_UP = 300_000;

/** The cases that patterns select, as the command line of the server reads them. */
export function select(cases, wanted, excluded) {
  const patterns = (text) => text.split(",").map((part) => part.trim()).filter(Boolean);
  const any = (list, id) => list.some((pattern) => selects(pattern, id));
  const [yes, no] = [patterns(wanted), patterns(excluded)];
  return {
    cases: cases.filter(({ id }) => (yes.length === 0 || any(yes, id)) && !any(no, id)),
    idle: [...yes, ...no].filter((pattern) => !cases.some(({ id }) => selects(pattern, id))),
  };
}

/** With a `*`, a pattern is anchored at the start only; without one it is an id. */
function selects(pattern, id) {
  if (!pattern.includes("*")) return pattern === id;
  const literal = (part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&");
  return new RegExp(`^${pattern.split("*").map(literal).join(".*")}`).test(id);
}

/**
 * Goes through `cases` (with their places in the server's list) as `agent`. `watch` is told what
 * happens. The result says how it ended: "done", "stopped", or "gone" if the server is.
 */
export class Walk {
  #base;
  #agent;
  #watch;
  #stopping = false;
  #end = () => {};

  constructor(base, agent, watch) {
    this.#base = base;
    this.#agent = agent;
    this.#watch = watch;
  }

  async run(cases) {
    let end = "done";
    try {
      for (const one of cases) {
        if (this.#stopping) {
          end = "stopped";
          break;
        }
        await this.#case(one);
      }
      this.#watch.reporting();
      await this.#ask(`/updateReports?${this.#parameters({})}`, Infinity);
      return end;
    } catch (error) {
      if (error instanceof Unreachable) return "gone";
      throw error;
    }
  }

  /** Ends after the case at work, or at once if that was asked for before. */
  stop() {
    if (this.#stopping) this.#end("skipped");
    this.#stopping = true;
  }

  /** Goes on without the case at work. */
  skip() {
    this.#end("skipped");
  }

  async #case(one) {
    const began = performance.now();
    this.#watch.started(one);
    const name = this.#parameters({ case: one.place });
    const end = await this.#echo(`/runCase?${name}`);
    const took = performance.now() - began;
    let verdict = end;
    if (end === "ended") {
      const answer = await this.#ask(`/getCaseStatus?${name}`, ANSWER);
      verdict = answer === null ? "no verdict" : JSON.parse(answer).behavior;
    }
    this.#watch.judged(one, verdict, took);
  }

  /** Echoes until the connection ends. */
  #echo(target) {
    return new Promise((resolve, reject) => {
      const socket = open(this.#base + target);
      let last = performance.now();
      const watcher = setInterval(() => {
        const quiet = performance.now() - last;
        if (quiet >= GIVEN_UP) this.#end("given up");
        else if (quiet >= QUIET) this.#watch.quiet(quiet, GIVEN_UP - quiet);
      }, 1000);
      this.#end = (how) => {
        this.#end = () => {};
        clearInterval(watcher);
        socket.onmessage = socket.onclose = null;
        // The end of a connection that does not want to end is not waited for.
        if (how !== "ended") socket.close();
        resolve(how);
      };
      socket.onmessage = ({ data }) => {
        last = performance.now();
        try {
          socket.send(data);
        } catch (error) {
          reject(error);
          this.#end("failed");
        }
      };
      socket.onclose = () => this.#end("ended");
    });
  }

  /** The one message of the answer, or null if there is none in time. */
  #ask(target, limit) {
    return new Promise((resolve, reject) => {
      const socket = open(this.#base + target);
      let opened = false;
      let said = null;
      const timer = limit < Infinity ? setTimeout(() => finish(), limit) : undefined;
      const finish = () => {
        clearTimeout(timer);
        socket.onclose = null;
        socket.close();
        if (opened) resolve(said);
        else reject(new Unreachable());
      };
      socket.onopen = () => (opened = true);
      socket.onmessage = ({ data }) => (said = data);
      socket.onclose = finish;
    });
  }

  #parameters(more) {
    const pairs = Object.entries({ ...more, agent: this.#agent });
    return pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  }
}

function open(url) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  return socket;
}
