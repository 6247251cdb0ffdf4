// Shows the server's own document, and sends what is tried out to this server with the token that was given.

const { SwaggerUIBundle } = window;
const root = new URL("../", import.meta.url);
const token = document.querySelector("#token");
const told = document.querySelector("#told");

/** Of the document's servers only this one can be reached from here. */
const ownServer = () => ({
  statePlugins: {
    spec: {
      wrapActions: {
        updateJsonSpec: (update) => (spec) =>
          update({ ...spec, servers: [{ url: new URL("api/v1/session", root).href, description: "This server" }] }),
      },
    },
  },
});

const ui = SwaggerUIBundle({
  url: new URL("openapi.yaml", root).href,
  domNode: document.querySelector("#operations"),
  plugins: [ownServer],
  layout: "BaseLayout",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});

function tell(words, bad = false) {
  told.textContent = words;
  told.classList.toggle("bad", bad);
}

/** Both schemes are the same header. */
function use(credential) {
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
    const answer = await fetch(new URL("guest", root), { method: "POST", headers: { "content-type": "application/json" } });
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
