// Echo server on Bun, without its default limits.
const server = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(process.argv[2]),
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response('WebSocket only', { status: 426 });
  },
  websocket: {
    maxPayloadLength: 1 << 28,
    backpressureLimit: 1 << 30,
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: { compress: 'dedicated', decompress: 'dedicated' },
    message(socket, data) {
      socket.send(data, true);
    },
  },
});
console.log(`ready on ${server.port}`);
