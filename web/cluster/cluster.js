// The page of `tiltyard cluster`: shows the nodes and their fights, and kills a node, or stops it where it is. What it shows it asks for
// again and again; what is pressed is sent with the token of the page.

const EVERY_MS = 500;
const TOKEN = document.querySelector("meta[name=cluster-token]").content;

const PHASES = { starting: "starts", alive: "alive", stopped: "stopped where it is", gone: "gone" };
/** What can be done to a node: the deed, its label, and what it means. */
const KILL = ["kill", "kill -9", "Ends the process at once"];
const STOP = ["stop", "SIGSTOP", "Stops it where it is: it answers nothing, and its connections stay open"];
const GO_ON = ["go-on", "Go on", "SIGCONT: it goes on where it was stopped"];
const START = ["start", "Start", "Starts it again now"];
/** What can be done besides killing it, in each phase. Each button keeps its place, so that a second click does nothing else. */
const OTHER = { starting: STOP, alive: STOP, stopped: GO_ON, gone: START };

const at = (id) => document.getElementById(id);

/** An element with these properties, and these inside. */
function make(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

async function press(node, deed) {
  const answer = await fetch(`nodes/${node}/${deed}`, { method: "POST", headers: { "cluster-token": TOKEN } });
  if (!answer.ok) {
    throw new Error(await answer.text());
  }
  await show();
}

function tell(error) {
  const lost = error instanceof TypeError ? "The command `tiltyard cluster` has ended. Start it again, and open the page that it names." : error.message;
  at("problem").textContent = lost;
  at("problem").hidden = false;
}

function cardOf(node) {
  const card = make("li", { className: "node", id: `node-${node.name}` });
  const link = make("a", { className: "primary open", textContent: "Open the arena", target: "_blank", rel: "noopener" });
  card.append(
    make("h3", {}, make("span", { className: "lamp" }), node.name, make("span", { className: "phase" })),
    make("dl", {}, ...["fights", "connections", "process"].flatMap((name) => [make("dt", { textContent: name }), make("dd", { className: name })])),
    link,
    make("p", { className: "deeds" }),
  );
  return card;
}

/** Changes what has changed alone: a button that is about to be pressed stays where it is. */
function showNode(node) {
  const card = at(`node-${node.name}`) ?? at("nodes").appendChild(cardOf(node));
  const set = (name, text) => (card.querySelector(name).textContent = text);
  const unwell = node.phase === "alive" && node.health !== "healthy";
  set(".phase", unwell ? (node.health ?? "does not answer") : PHASES[node.phase]);
  set(".fights", node.fights);
  set(".connections", node.connections ?? "–");
  set(".process", node.pid ?? "–");
  card.querySelector(".open").href = `${node.url}/`;
  if (card.dataset.phase !== node.phase) {
    const buttons = [KILL, OTHER[node.phase]].map(([deed, label, title]) => {
      const disabled = (deed === "kill" && node.phase === "gone") || (deed === "stop" && node.phase === "starting");
      const button = make("button", { type: "button", textContent: label, title, disabled, className: deed });
      button.setAttribute("aria-label", `${label}: node ${node.name}`);
      button.onclick = () => press(node.name, deed).catch(tell);
      return button;
    });
    card.querySelector(".deeds").replaceChildren(...buttons);
  }
  card.dataset.phase = node.phase;
  card.classList.toggle("unwell", unwell);
}

const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const count = (n) => (n === 0 ? "no fight" : n === 1 ? "1 fight" : `${n} fights`);

function trialOf({ n, node, deed, fights, moved, done }) {
  const first = `${deed} of ${node}, which had ${count(fights)}`;
  const last = Math.max(0, ...moved.map(({ ms }) => ms));
  const to = [...new Set(moved.map((one) => one.to))].join(" and ");
  const rest = fights - moved.length;
  let then = "";
  if (fights > 0 && rest === 0) {
    then = `: ${fights === 1 ? "it lives" : "all live"} at ${to}, after ${seconds(last)}`;
  } else if (moved.length > 0) {
    then = `: ${moved.length} live at ${to}, after ${seconds(last)}; ${rest} ${done ? "do not" : "not yet"}`;
  } else if (fights > 0) {
    then = done ? ": nobody goes on with them" : ": …";
  }
  const line = make("li", { className: rest > 0 && done ? "lost" : rest > 0 ? "under-way" : "done" }, first, make("strong", { textContent: then }));
  line.dataset.n = n;
  line.value = n;
  return line;
}

function rowOf({ id, status, node, created_at: begun }) {
  const cells = [make("code", { textContent: id }), node, status, new Date(begun).toLocaleTimeString()];
  const row = make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
  row.dataset.session = id;
  row.dataset.node = node;
  return row;
}

async function show() {
  const state = await (await fetch("state")).json();
  at("problem").hidden = true;
  state.nodes.forEach(showNode);
  at("trials-section").hidden = state.trials.length === 0;
  at("trials").replaceChildren(...state.trials.map(trialOf));
  at("no-fights").hidden = state.fights.length > 0;
  at("fights").hidden = state.fights.length === 0;
  at("fights").tBodies[0].replaceChildren(...state.fights.map(rowOf));
}

for (;;) {
  await show().catch(tell);
  await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
}
