// Runs in a worker and holds the page's sockets, so that the time a message arrived is known even while the page is busy
// painting. It is told `{n, open, protocol}`, `{n, send}` and `{n, close}`, `n` being the socket's number, and tells
// `{n, name, event}` of what happened to it.

const sockets = new Map();

/** Milliseconds on the clock that the page shares. */
const now = () => performance.timeOrigin + performance.now();

function open(n, url, protocol) {
  const socket = new WebSocket(url, protocol);
  sockets.set(n, socket);
  socket.onopen = () => postMessage({ n, name: "open", event: { protocol: socket.protocol } });
  socket.onmessage = ({ data }) => postMessage({ n, name: "message", event: { data, at: now() } });
  socket.onclose = ({ code }) => {
    sockets.delete(n);
    postMessage({ n, name: "close", event: { code } });
  };
}

onmessage = ({ data }) => {
  const { n } = data;
  if ("open" in data) {
    open(n, data.open, data.protocol);
  } else if ("send" in data) {
    sockets.get(n)?.send(data.send);
  } else {
    sockets.get(n)?.close(data.close);
  }
};
