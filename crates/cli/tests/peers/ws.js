// Echo server on the npm package ws, without its default limits.
const { WebSocketServer } = require('ws');

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  perMessageDeflate: true,
  maxPayload: 0,
  maxFragments: 0,
  maxBufferedChunks: 0,
});
server.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  // A protocol error by the peer is what the cases are about.
  socket.on('error', () => {});
});
server.on('listening', () => console.log('ready'));
