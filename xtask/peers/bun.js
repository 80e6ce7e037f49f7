// Echo server on Bun, without its default limits: `bun bun.js PORT [CERTIFICATE KEY]`.
const [port, certificate, key] = process.argv.slice(2);

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  tls: certificate ? { cert: Bun.file(certificate), key: Bun.file(key) } : undefined,
  fetch(request, server) {
    return server.upgrade(request) ? undefined : new Response(null, { status: 426 });
  },
  websocket: {
    maxPayloadLength: 256 << 20,
    backpressureLimit: 1 << 30,
    idleTimeout: 0,
    sendPings: false,
    perMessageDeflate: { compress: 'dedicated', decompress: 'dedicated' },
    message(socket, message) {
      // Compressed where that was agreed.
      socket.send(message, true);
    },
  },
});
