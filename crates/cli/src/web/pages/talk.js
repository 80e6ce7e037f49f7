// A page that sends messages to a server and shows what comes from it.

const at = (id) => document.getElementById(id);
/** Lines that are kept. */
const KEPT = 500;

let url = "";
let socket = null;

async function main() {
  const server = await (await fetch("/server.json")).json();
  url = `${server.secure ? "wss" : "ws"}://${location.hostname}:${server.port}/`;
  document.title = at("title").textContent = server.title;
  at("what").textContent = server.what;
  at("url").textContent = url;
  at("tool").textContent = server.tool;
  at("connect").addEventListener("click", () => (socket ? socket.close() : connect()));
  at("form").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  connect();
}

function connect() {
  try {
    socket = new WebSocket(url);
  } catch (error) {
    return show("about", `cannot connect: ${error.message}`);
  }
  state("connecting", false);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => state("connected", true);
  socket.onmessage = ({ data }) => show("received", typeof data === "string" ? data : hex(data));
  socket.onclose = ({ code, reason }) => {
    socket = null;
    state("not connected", false);
    show("about", `closed with ${code}${reason ? `: ${reason}` : ""}`);
  };
}

function send() {
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send(at("text").value);
  show("sent", at("text").value);
  at("text").value = "";
}

function state(words, open) {
  at("state").textContent = words;
  at("text").disabled = at("send").disabled = !open;
  at("connect").textContent = socket ? "Close" : "Connect";
  if (open) at("text").focus();
}

function show(kind, text) {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString([], { hour12: false });
  line.className = kind;
  // Colours and places say it to those who see them.
  const who = document.createElement("span");
  who.className = "sr";
  who.textContent = kind === "about" ? "" : `${kind} `;
  line.append(time, who, text === "" ? "(empty)" : text);
  at("log").prepend(line);
  while (at("log").childElementCount > KEPT) at("log").lastElementChild.remove();
}

function hex(buffer) {
  const octets = [...new Uint8Array(buffer)].slice(0, 256);
  const digits = octets.map((octet) => octet.toString(16).padStart(2, "0")).join(" ");
  return `${buffer.byteLength} octets: ${digits}${buffer.byteLength > 256 ? " …" : ""}`;
}

main().catch(() => (at("state").textContent = "the server does not answer; reload this page"));
