// node: ws at /ws/TOPIC, socket.io at /socket.io/?topic=TOPIC; POST /pub/TOPIC publishes to both.
//   node server.js PORT
const http = require("node:http");
const { WebSocketServer } = require("ws");
const { Server } = require("socket.io");

const readers = new Map();
const of = (topic) => readers.get(topic) ?? readers.set(topic, new Set()).get(topic);

const server = http.createServer(async (request, response) => {
  const topic = request.url.split("/").pop();
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts).toString();
  for (const one of of(topic)) one.send(body);
  if (io.of("/").adapter.rooms.has(topic)) io.to(topic).emit("row", body);
  response.writeHead(202).end();
});
server.keepAliveTimeout = server.requestTimeout = server.headersTimeout = 0;

const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const io = new Server({ pingInterval: 600_000, pingTimeout: 600_000, perMessageDeflate: false });
io.attach(server, { destroyUpgrade: false });
io.on("connection", (socket) => socket.join(socket.handshake.query.topic));
server.on("upgrade", (request, socket, head) => {
  if (!request.url.startsWith("/ws/")) return;
  const topic = request.url.split("/").pop();
  sockets.handleUpgrade(request, socket, head, (one) => {
    of(topic).add(one);
    one.on("close", () => of(topic).delete(one));
    one.on("error", () => {});
  });
});
process.on("uncaughtException", (error) => console.error(error.message));
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
