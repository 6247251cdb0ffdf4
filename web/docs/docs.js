// Shows the server's own document, and sends what is tried out to this server with the token that was given. What an answer gives
// is carried to the operations that come after it.

import { Memory, operationsOf, playerOf, readyToTry } from "./memory.js";

const { SwaggerUIBundle } = window;
const root = new URL("../", import.meta.url);
const token = document.querySelector("#token");
const told = document.querySelector("#told");

/** The document as the server has it, the player that the token speaks for, and what answers have given. */
let whole = null;
let me = null;
let memory = null;

/** Of the document's servers only this one can be reached from here. */
const servers = [{ url: new URL("api/v1/session", root).href, description: "This server" }];

const shown = () => readyToTry({ ...whole, servers }, me);

/** Carries what an answer gave into the forms of the operations that come next. */
function carry({ specActions, oas3Actions }, fills) {
  for (const { path, method, ...fill } of fills) {
    if (fill.body) {
      // Or the example takes its place when the operation is opened.
      oas3Actions.setRetainRequestBodyValueFlag({ value: true, pathMethod: [path, method] });
      oas3Actions.setRequestBodyValue({ value: fill.body, pathMethod: [path, method] });
    } else {
      // An empty text would be sent as an empty header.
      specActions.changeParam([path, method], fill.name, fill.in, fill.value || null, false);
    }
  }
}

function bodyOf(response) {
  try {
    return JSON.parse(response.text);
  } catch {
    return null;
  }
}

/** The one operation that is no request: a socket is opened with the ticket of before, and closed again. */
function openSocket({ specActions }, path, method) {
  const { ticket } = memory;
  memory.ticket = null;
  const url = new URL(ticket ? `ws?ticket=${ticket}` : "ws", root);
  url.protocol = url.protocol.replace("http", "ws");
  const request = { url: url.href, method: "GET", headers: {} };
  specActions.setRequest(path, method, request);
  specActions.setMutatedRequest(path, method, request);
  const fail = (message) => specActions.setResponse(path, method, { error: true, err: { name: "", message } });
  if (!ticket) {
    fail("A socket is opened with a ticket: ask for one with createTicket or takeArenaSeat first.");
    return;
  }
  const started = performance.now();
  const socket = new WebSocket(url, "tiltyard.v2.json");
  socket.onopen = () => {
    const headers = { "sec-websocket-protocol": socket.protocol };
    const duration = performance.now() - started;
    specActions.setResponse(path, method, { url: url.href, status: 101, statusText: "Switching Protocols", headers, text: "", duration });
    socket.close(1000);
  };
  socket.onerror = () => fail("The socket was refused.");
}

const tried = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (spec) => {
          whole ??= spec;
          memory ??= new Memory(spec);
          return update(shown());
        },
        executeRequest: (execute, system) => (request) =>
          request.operation.get("operationId") === "openSocket"
            ? openSocket(system, request.pathName, request.method)
            : execute(request),
        setResponse: (set, system) => (path, method, response) => {
          const { status, url, headers } = response;
          if (!response.error && path !== "/ws") {
            carry(system, memory.learn(path, method, { status, url, headers, body: bodyOf(response) }));
          }
          return set(path, method, response);
        },
      },
    },
  },
});

const ui = SwaggerUIBundle({
  url: new URL("openapi.yaml", root).href,
  domNode: document.querySelector("#operations"),
  plugins: [tried],
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // Of a long answer, such as this very document, it takes longer than the request.
  syntaxHighlight: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});

function tell(words, bad = false) {
  told.textContent = words;
  told.classList.toggle("bad", bad);
}

/** Both schemes are the same header. The examples' first player is the one whose token it is. */
function use(credential) {
  const player = playerOf(credential);
  if (player !== me && whole) {
    me = player;
    const { oas3Selectors, oas3Actions, specActions } = ui.getSystem();
    const shownBodies = [...operationsOf(whole)]
      .filter(({ operation }) => operation.requestBody)
      .map(({ path, method }) => [path, method])
      .filter((of) => oas3Selectors.requestBodyValue(...of) && !oas3Selectors.hasUserEditedBody(...of));
    specActions.updateJsonSpec(whole);
    // An example that is open already becomes the new one; what somebody wrote stays.
    for (const pathMethod of shownBodies) {
      oas3Actions.setRequestBodyValue({ value: undefined, pathMethod });
    }
  }
  ui.preauthorizeApiKey("BearerAuth", credential);
  ui.preauthorizeApiKey("ServiceAuth", credential);
}

document.querySelector("#credentials").addEventListener("submit", (event) => {
  event.preventDefault();
  use(token.value.trim());
  tell("Requests carry this token.");
});

document.querySelector("#guest").addEventListener("click", async () => {
  try {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(new URL("guest", root), { method: "POST", headers, body: "{}" });
    const body = await answer.json();
    if (!answer.ok) {
      return tell(body.details?.reason === "forbidden" ? "This server admits no guests." : body.message, true);
    }
    token.value = body.token;
    use(body.token);
    tell(`Requests carry the token of guest ${body.player_id}, good for the arena until ${body.expires_at}.`);
  } catch {
    tell("The server cannot be reached.", true);
  }
});
