// The way from a choice to a fight and back: a player's token, a seat, a connection, and what to do when one of them is
// refused. Tells of changes by the event `change`. No DOM.

import { HubError } from "../client/index.js";
import { closed, refusal } from "./words.js";

export const KINDS = ["duel", "brawl", "solo", "coop", "arena"];

/** Where the player is: at the `gate`, `entering`, or in a `fight`. */
export class Arena extends EventTarget {
  #hub;
  #home;
  #store;
  #game;
  #dial;
  #fight = null;
  /** Where the last ticket leads. */
  #door = null;

  stage = "gate";
  kind = null;
  /** What went wrong last: `{kind, words}`; kind `token` asks the player for one, the others are `twin` and `refused`. */
  problem = null;
  /** The rulesets of the server, `{name, title, kinds}`; empty until it has told them. */
  rulesets = [];
  /** By which rules and how hard the next fight is to be. */
  wish = { ruleset: "default", difficulty: "normal" };

  /** `dial` connects to a fight, with the client's options. */
  constructor({ hub, store, game, dial }) {
    super();
    this.#hub = hub;
    this.#home = hub.base;
    this.#store = store;
    this.#game = game;
    this.#dial = dial;
  }

  /** The host at which the fight goes on since the one of this page was gone; `null` while it is not. */
  get refuge() {
    return this.#hub.base === this.#home || this.#door === null ? null : new URL(this.#door).host;
  }

  /** Goes on where this tab was before it was reloaded; where it was nowhere, enters the fight a link asks for. */
  async start(wanted) {
    if (!(await this.#store.claim())) {
      this.#store.player = null;
      this.#store.fight = null;
      const words = "Your other tab keeps its rider. Pick the same game here to ride against it.";
      this.#become("gate", { kind: "twin", words });
    }
    const { fight } = this.#store;
    if (fight && this.#store.player) {
      this.kind = fight.kind;
      this.#become("entering");
      this.#connect(fight);
    } else {
      await this.enter(wanted);
    }
  }

  /** Asks the server by which rules it can be fought. Without an answer there is no choice, and the fight is none the worse. */
  async look() {
    try {
      this.rulesets = await this.#hub.offers();
      this.#become(this.stage, this.problem);
    } catch (error) {
      if (!(error instanceof HubError)) {
        throw error;
      }
    }
  }

  /** Takes a seat in a fight of `kind` and connects to it. */
  async enter(kind) {
    if (this.stage !== "gate" || !KINDS.includes(kind)) {
      return;
    }
    this.kind = kind;
    this.#become("entering");
    try {
      const seat = await this.#seat({ kind, ...this.wish });
      const fight = { session_id: seat.session_id, kind, seats: seat.seats };
      this.#store.fight = fight;
      this.#connect(fight, seat.url);
    } catch (error) {
      this.#become("gate", problemOf(error));
    }
  }

  /** Leaves the fight and takes a seat in the next of the same kind. */
  again() {
    const { kind } = this;
    this.leave();
    return this.enter(kind);
  }

  /** Leaves the fight for good. */
  leave() {
    this.#game.concede();
    const fight = this.#fight;
    this.#fight = null;
    fight?.close();
    this.#store.fight = null;
    this.#game.begin({});
    this.#become("gate");
  }

  /** Opens the fight's connection again after it was closed. */
  retry() {
    this.#fight?.reopen();
  }

  /** Makes a connection that waits for its next try make it now. */
  hasten() {
    this.#fight?.connection.hasten();
  }

  /** Plays with a token that came from somewhere else than this page. */
  useToken(token) {
    this.#store.player = { token, player_id: subjectOf(token), guest: false };
    this.#become("gate");
    return this.#store.claim();
  }

  async #seat(wanted) {
    const known = this.#store.player;
    const player = known ?? (await this.#newGuest());
    try {
      return await this.#hub.seat(player.token, wanted);
    } catch (error) {
      if (error.status !== 401) {
        throw error;
      }
      this.#store.player = null;
      if (!known?.guest) {
        error.badToken = true;
        throw error;
      }
      const guest = await this.#newGuest();
      return this.#hub.seat(guest.token, wanted);
    }
  }

  async #newGuest() {
    try {
      const { token, player_id } = await this.#hub.guest();
      const player = { token, player_id, guest: true };
      this.#store.player = player;
      this.#store.claim();
      return player;
    } catch (error) {
      error.noGuests = error.status === 403;
      throw error;
    }
  }

  /** The next token of a guest. One that was brought along has another only where it came from. */
  async #nextToken() {
    const known = this.#store.player;
    if (!known?.guest) {
      return null;
    }
    const { token, player_id } = await this.#hub.guest(known.token).catch(() => ({}));
    if (player_id !== known.player_id || this.#store.player?.player_id !== player_id) {
      return null;
    }
    this.#store.player = { token, player_id, guest: true };
    return token;
  }

  async #ticket(session) {
    const door = await this.#hub.ticket(this.#store.player.token, session);
    this.#door = door.url;
    return door;
  }

  #connect({ session_id: session, kind, seats }, url) {
    const fight = this.#dial({
      session,
      ...(url && { url }),
      ticket: () => this.#ticket(session),
      token: () => this.#nextToken(),
    });
    this.#fight = fight;
    this.#game.begin({ session, kind, seats, fight });
    fight.on("closed", (closing) => this.#closed(fight, closing));
    this.#become("fight", this.problem);
  }

  #closed(fight, closing) {
    if (fight !== this.#fight) {
      return;
    }
    const { words, again } = closed(closing);
    // A fight that was never seen, because it ended while this tab was away, is nothing to stay for.
    if (!again && this.#game.view === null) {
      this.#fight = null;
      this.#store.fight = null;
      if (closing.code === 4401 || closing.code === 4419) {
        this.#store.player = null;
      }
      this.#game.begin({});
      this.#become("gate", { kind: "refused", words: `${words} Pick a game to start another.` });
    }
  }

  #become(stage, problem = null) {
    this.stage = stage;
    this.problem = problem;
    this.dispatchEvent(new Event("change"));
  }
}

function problemOf(error) {
  if (!(error instanceof HubError)) {
    throw error;
  }
  if (error.status === 0) {
    return { kind: "refused", words: "The server does not answer." };
  }
  if (error.noGuests) {
    return { kind: "token", words: "This server admits no guests." };
  }
  if (error.badToken) {
    return { kind: "token", words: refusal("unauthorized") };
  }
  const words = error.reason ? refusal(error.reason, error.retryMs) : error.message;
  return { kind: "refused", words };
}

/** The player a token speaks for; only the server can tell whether it may. */
function subjectOf(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(claims)).sub ?? token;
  } catch {
    return token;
  }
}
