// A Socket.IO server with the Redis adapter; each user has a room. See README.md.
import { createServer } from "node:http";
import { Redis } from "ioredis";
import { Server } from "socket.io";
import { createAdapter } from "@socket.io/redis-adapter";

const server = createServer();
const pub = new Redis(process.env.REDIS_URL);
const io = new Server(server, { adapter: createAdapter(pub, pub.duplicate()) });

io.engine.on("connection", (rawSocket) => {
  rawSocket.request = null; // saves memory: socket.io/docs/v4/memory-usage
});
io.on("connection", (socket) => socket.join(socket.handshake.auth.user_id));

server.listen(Number(process.env.PORT), "127.0.0.1");
