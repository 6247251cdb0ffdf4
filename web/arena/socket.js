// A socket that lives in the worker, with as much of WebSocket's face as the client needs. Its message events have `at`, the local
// time they arrived at, besides `data`.

let worker = null;
let serial = 0;
const sockets = new Map();

/** Opens a socket. */
export function openSocket(url, protocol) {
  worker ??= startWorker();
  serial += 1;
  const n = serial;
  const socket = {
    protocol: "",
    send: (text) => worker.postMessage({ n, send: text }),
    close: (code = 1000) => worker.postMessage({ n, close: code }),
  };
  sockets.set(n, socket);
  worker.postMessage({ n, open: url, protocol });
  return socket;
}

function startWorker() {
  const started = new Worker(new URL("socket-worker.js", import.meta.url));
  started.onmessage = ({ data: { n, name, event } }) => {
    const socket = sockets.get(n);
    if (name === "close") {
      sockets.delete(n);
    }
    if (name === "open") {
      socket.protocol = event.protocol;
    }
    if (event.at !== undefined) {
      event.at -= performance.timeOrigin;
    }
    socket[`on${name}`]?.(event);
  };
  return started;
}
