//! A fight as its player has it: the view with its sequence, what may be done in it, and everything that happens. It resumes and joins
//! again by itself; whoever uses it need not know when.

use std::collections::VecDeque;

use tiltyard_protocol::client::{Concede, Join, Ready};
use tiltyard_protocol::server::{Delta, Joined, Outcome, PhaseName, Refused, Resume, SessionStatus, Snapshot, Timers};
use tiltyard_protocol::view::{Drift, ParticipantView};
use tiltyard_protocol::{Act, ClientMessage, RulesView, ServerMessage, View};
use tokio::time::Instant;
use uuid::Uuid;

use crate::actions::{Actions, Unsent};
use crate::clock::{ServerClock, SessionClock};
use crate::member::Effects;
use crate::{Interpolator, Order, Pose, Predictor, Told};

/// How far in the past the others are drawn: two places of theirs should be known there.
const DRAWN_MS: f64 = 150.0;

/// A fight.
#[derive(Debug)]
// Each is a thing of its own.
#[allow(clippy::struct_excessive_bools)]
pub struct Fight {
    view: Option<View>,
    /// Whether the view was the server's at its sequence: one that had another digest is not to be gone on from.
    is_sound: bool,
    /// Whether the server may not have what was sent: the connection is another one than it was sent on.
    is_unsure: bool,
    wants_ready: bool,
    seq: Option<u64>,
    at: u64,
    epoch: Option<u64>,
    seat: Option<(u8, u8)>,
    rules: Option<Box<RulesView>>,
    timers: Timers,
    applied: u64,
    outcome: Option<Outcome>,
    actions: Actions,
    others: Interpolator,
    own: Predictor,
    pub(crate) clock: SessionClock,
    /// What the connection says of it.
    pub(crate) is_live: bool,
    pub(crate) handle: Option<u32>,
    /// What is to be sent.
    pub(crate) said: VecDeque<ClientMessage>,
}

impl Fight {
    pub(crate) fn new(clock: ServerClock) -> Self {
        Self {
            view: None,
            is_sound: true,
            is_unsure: false,
            wants_ready: false,
            seq: None,
            at: 0,
            epoch: None,
            seat: None,
            rules: None,
            timers: Timers::default(),
            applied: 0,
            outcome: None,
            actions: Actions::new(),
            others: Interpolator::default(),
            own: Predictor::default(),
            clock: SessionClock::new(clock),
            is_live: false,
            handle: None,
            said: VecDeque::new(),
        }
    }

    /// The fight as this player is shown it; `None` before the first snapshot.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }

    /// The player's own participant.
    #[must_use]
    pub fn me(&self) -> Option<&ParticipantView> {
        self.view.as_ref()?.participants.get(usize::from(self.slot()?))
    }

    /// Which participant the player is, once joined.
    #[must_use]
    pub fn slot(&self) -> Option<u8> {
        self.seat.map(|(slot, _)| slot)
    }

    /// Of which team.
    #[must_use]
    pub fn team(&self) -> Option<u8> {
        self.seat.map(|(_, team)| team)
    }

    /// What the fight is played by, once joined.
    #[must_use]
    pub fn rules(&self) -> Option<&RulesView> {
        self.rules.as_deref()
    }

    /// How fast the player is now, in centimetres a second; `None` where that is not known yet.
    #[must_use]
    pub fn speed(&self) -> Option<u32> {
        Some(self.rules()?.speed(self.me()?, &self.view()?.modifiers))
    }

    /// How long this server and this fight wait for what.
    #[must_use]
    pub fn timers(&self) -> Timers {
        self.timers
    }

    /// The sequence of the view.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.seq
    }

    /// Its session time in milliseconds.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }

    /// How often the fight has changed hands.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    /// The highest id of one's own action that the view shows.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// Once it is decided.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Whether the fight is on: the view is the server's, and actions may be taken.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.is_live && self.view.as_ref().is_some_and(|view| view.phase.phase == PhaseName::Active)
    }

    /// Ids of actions that have no answer yet, in their order.
    pub fn pending(&self) -> impl Iterator<Item = u64> {
        self.actions.pending().map(|(id, _)| id)
    }

    /// Session time now, in milliseconds, as well as it is known.
    #[must_use]
    pub fn now(&self) -> f64 {
        self.clock.at(Instant::now())
    }

    /// Where to draw the participant in `slot`, which is `None` where it is not seen: oneself where one has gone already, the others where
    /// they were a moment ago.
    #[must_use]
    pub fn place(&self, slot: u8) -> Option<Pose> {
        self.place_at(slot, self.now() - DRAWN_MS)
    }

    /// The same, the others being drawn where they were at this session time, in milliseconds.
    #[must_use]
    pub fn place_at(&self, slot: u8, at: f64) -> Option<Pose> {
        let shown = self.view.as_ref()?.participants.get(usize::from(slot))?;
        if shown.hidden {
            return None;
        }
        if self.slot() == Some(slot) { Some(self.own.place(shown)) } else { self.others.place(slot, at) }
    }

    /// Does what is ordered, exactly once: where the connection is lost before there is an answer it is sent again on the next one.
    /// [`Told::Ack`], [`Told::Refused`] or [`Told::Forgotten`] with the returned id follows; or [`Told::Unanswered`] where the session is
    /// closed before.
    pub fn act(&mut self, order: impl Into<Order>) -> Result<u64, Unsent> {
        let Order(act) = order.into();
        let s = self.handle.filter(|_| self.is_live).ok_or(Unsent::Offline)?;
        let id = self.actions.begin(&act)?;
        self.send(s, id, act);
        Ok(id)
    }

    /// Sends an action again that was refused with `retry_ms`, under its own id.
    pub fn again(&mut self, id: u64, order: impl Into<Order>) -> Result<(), Unsent> {
        let Order(act) = order.into();
        let s = self.handle.filter(|_| self.is_live).ok_or(Unsent::Offline)?;
        self.actions.again(id, &act)?;
        self.send(s, id, act);
        Ok(())
    }

    /// Says that the player is ready, now or as soon as that can be said.
    pub fn ready(&mut self) {
        self.wants_ready = true;
        self.say_ready(self.is_live);
    }

    /// Gives the seat up for good. What is not joined at the moment cannot be given up.
    pub fn concede(&mut self) -> Result<(), Unsent> {
        let s = self.handle.ok_or(Unsent::Offline)?;
        let concede = ClientMessage::Concede(Concede { s });
        if !self.said.contains(&concede) {
            self.said.push_back(concede);
        }
        Ok(())
    }

    fn send(&mut self, s: u32, id: u64, mut act: Act) {
        let own = self.slot().zip(self.view.as_ref());
        if let Some(shown) = own.and_then(|(slot, view)| view.participants.get(usize::from(slot))) {
            self.own.claim(id, &act, shown);
        }
        (act.s, act.id) = (s, id);
        self.said.push_back(ClientMessage::Action(act));
    }

    fn say_ready(&mut self, is_live: bool) {
        let is_due = self.wants_ready
            && is_live
            && self.view.as_ref().is_some_and(|view| view.phase.phase == PhaseName::Preparation)
            && self.me().is_some_and(|me| !me.ready);
        if let Some(s) = self.handle.filter(|_| is_due) {
            let ready = ClientMessage::Ready(Ready { s });
            if !self.said.contains(&ready) {
                self.said.push_back(ready);
            }
        }
    }

    pub(crate) fn join(&self, session: Uuid) -> Join {
        let seq = self.seq.filter(|_| self.is_sound);
        Join { session, seq, epoch: self.epoch, rules: self.rules.as_ref().map(|rules| rules.hash.clone()) }
    }

    pub(crate) fn receive(&mut self, message: ServerMessage, is_current: bool, effects: &mut Effects) {
        match message {
            ServerMessage::Joined(joined) => self.joined(joined, effects),
            ServerMessage::Snapshot(snapshot) => self.snapshot(snapshot, effects),
            ServerMessage::Delta(delta) if is_current => self.delta(delta, effects),
            ServerMessage::Ack(ack) if self.actions.answered(ack.id) => effects.tell(Told::Ack(ack)),
            ServerMessage::Refused(refused) => self.refused(refused, effects),
            ServerMessage::Forgotten(forgotten) => {
                if forgotten.applied == Some(false) {
                    self.own.refused(forgotten.id);
                }
                self.actions.joined(forgotten.last_id);
                if self.actions.answered(forgotten.id) {
                    effects.tell(Told::Forgotten(forgotten));
                }
            }
            ServerMessage::Result(outcome) => {
                self.outcome = Some(outcome.clone());
                effects.tell(Told::Result(outcome));
            }
            ServerMessage::Pong(pong) => {
                if let Some(at) = pong.at {
                    self.clock.set(at, pong.time);
                }
            }
            _ => {}
        }
    }

    fn joined(&mut self, joined: Joined, effects: &mut Effects) {
        self.seat = Some((joined.slot, joined.team));
        self.rules = joined.rules.clone().or(self.rules.take());
        self.timers = joined.timers;
        self.epoch = Some(joined.epoch);
        self.actions.joined(joined.last_id);
        self.clock.set(joined.at, joined.time);
        if std::mem::take(&mut self.is_unsure) {
            let s = joined.s;
            self.said
                .extend(self.actions.pending().map(|(id, act)| ClientMessage::Action(Act { s, id, ..act.clone() })));
        }
        // The view that is here is gone on from; else a snapshot comes.
        let goes_on = joined.resume == Resume::Deltas && self.is_sound && self.view.is_some();
        effects.stands = Some(goes_on);
        effects.tell(Told::Joined(Box::new(joined)));
        self.say_ready(goes_on);
    }

    fn snapshot(&mut self, snapshot: Snapshot, effects: &mut Effects) {
        let Snapshot { q, at, time, epoch, id, missed, .. } = snapshot;
        let view = match snapshot.verified() {
            Ok(view) => view,
            Err(drift) => return self.drifted(drift, effects),
        };
        self.seq = Some(q);
        self.epoch = Some(epoch);
        self.others.snapshot(&view, at);
        self.view = Some(view);
        self.is_sound = true;
        self.shows(at, time, id);
        effects.stands = Some(true);
        effects.tell(Told::Snapshot(missed));
        self.say_ready(true);
    }

    fn delta(&mut self, delta: Delta, effects: &mut Effects) {
        let (Some(view), Some(seq)) = (&mut self.view, self.seq) else { return };
        match view.apply(seq, &delta) {
            Ok(seq) => self.seq = Some(seq),
            Err(drift) => return self.drifted(drift, effects),
        }
        self.others.delta(&delta, view);
        self.shows(delta.at, delta.time, delta.id);
        effects.tell(Told::Delta(Box::new(delta)));
    }

    /// Takes what snapshots and deltas alike say beside the view.
    fn shows(&mut self, at: u64, time: u64, id: u64) {
        self.at = at;
        self.applied = id;
        self.own.applied(id);
        self.clock.set(at, time);
        self.clock.runs(self.view.as_ref().is_none_or(|view| view.phase.status != SessionStatus::Paused));
    }

    fn refused(&mut self, refused: Refused, effects: &mut Effects) {
        if refused.id == 0 {
            self.wants_ready = false;
            effects.tell(Told::Refused(refused));
            return;
        }
        self.own.refused(refused.id);
        if self.actions.answered(refused.id) {
            effects.tell(Told::Refused(refused));
        }
    }

    /// The view is not the server's any more: a new one is asked for, or, after a gap, what is missing.
    fn drifted(&mut self, drift: Drift, effects: &mut Effects) {
        self.is_sound &= matches!(drift, Drift::Gap { .. });
        effects.stands = Some(false);
        effects.again = true;
        effects.tell(Told::Drift(drift));
    }

    pub(crate) fn lost(&mut self) {
        self.is_unsure = true;
        self.said.clear();
    }

    pub(crate) fn ended(&mut self) -> Vec<Told> {
        self.own.reset();
        self.actions.end().map(Told::Unanswered).collect()
    }
}
