// A client of the fuzzing server on the WebSocket API of browsers: node client.js URL AGENT [ws].
// With `ws` it is the npm package, without its default limits; else what Node has built in.
const [url, agent, name] = process.argv.slice(2);
const { WebSocket } = name ? require(name) : globalThis;
const named = `agent=${encodeURIComponent(agent)}`;

// Resolves to what was said when the connection has ended.
function visit(target, answer) {
  return new Promise((resolve) => {
    let said = '';
    const limits = { maxPayload: 0, maxFragments: 0, maxBufferedChunks: 0 };
    const socket = name ? new WebSocket(url + target, [], limits) : new WebSocket(url + target);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => {
      if (answer) socket.send(data);
      else said += data;
    };
    // A protocol error by the server is what the cases are about.
    socket.onerror = () => {};
    socket.onclose = () => resolve(said);
  });
}

async function main() {
  const count = Number(await visit('/getCaseCount', false));
  for (let n = 1; n <= count; n++) await visit(`/runCase?case=${n}&${named}`, true);
  await visit(`/updateReports?${named}`, false);
}

main().then(() => process.exit(0));
