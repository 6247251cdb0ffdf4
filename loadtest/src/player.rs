//! A virtual player: rebuilds its own view from what it is sent and checks every message against what it knows.

use anyhow::{Result, bail, ensure};
use tiltyard_protocol::server::{Ack, Joined, PhaseName, Refused, SessionStatus};
use tiltyard_protocol::view::Drift;
use tiltyard_protocol::{Delta, Encoding, ServerMessage, Snapshot, View};

use crate::quick;
use crate::session::Session;
use crate::shows::{Shown, Shows};
use crate::tally::Tally;
use tiltyard_loadtest::words::as_told;

/// What a message asks of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Nothing,
    /// The view has drifted: join again and get a snapshot.
    Rejoin,
}

/// The player.
#[derive(Debug)]
pub struct Player {
    pub slot: u8,
    /// Its socket is at another node than its session.
    pub is_away: bool,
    /// The session's handle, from `joined`.
    pub handle: u32,
    state: State,
    view: View,
    /// The last sequence applied.
    seq: u64,
    encoding: Encoding,
    /// Whether actions are acknowledged; where they are not, a delta says whose action it shows.
    acks: bool,
    /// The highest of its actions that the server says is applied.
    applied: u64,
    /// Actions not answered yet.
    pub unanswered: u64,
    /// The sequence of the first snapshot.
    first: u64,
    /// Deltas that came in time, and sequences that a snapshot stood for.
    shown: u64,
    skipped: u64,
}

/// How far a player has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No snapshot yet.
    Joining,
    Playing,
    /// Has drifted and asked for a snapshot.
    Rejoining,
    /// Its connection is gone.
    Gone,
}

impl Player {
    pub fn new(slot: u8, acks: bool, encoding: Encoding) -> Self {
        Self {
            slot,
            is_away: false,
            encoding,
            handle: 0,
            state: State::Joining,
            view: View::default(),
            seq: 0,
            acks,
            applied: 0,
            unanswered: 0,
            first: 0,
            shown: 0,
            skipped: 0,
        }
    }

    pub fn joined(&self) -> bool {
        self.state == State::Playing
    }

    pub fn gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether the fight is on, as this player sees it.
    pub fn fighting(&self) -> bool {
        self.joined() && self.view.phase.status == SessionStatus::Active && self.view.phase.phase == PhaseName::Active
    }

    pub const fn lose_connection(&mut self) {
        self.state = State::Gone;
    }

    /// How many deltas this player should have been sent and was not.
    pub fn missing(&self, session: &Session) -> u64 {
        session.told.saturating_sub(self.first).saturating_sub(self.shown + self.skipped)
    }

    /// Takes the message in `payload`, read at `now`. An error is something no server of this protocol says.
    pub fn take(&mut self, payload: &[u8], now: u64, session: &mut Session, tally: &mut Tally) -> Result<Next> {
        if tally.counts_only && self.fighting() && quick::is_delta(self.encoding, payload) {
            tally.counts.deltas += 1;
            if let Some((_, slot, _)) = (!self.acks).then(|| quick::shown_by(payload)).flatten() {
                self.unacknowledged(slot, tally);
            }
            return Ok(Next::Nothing);
        }
        // Apart, so that a delta can stay in the memo while the rest of the session is used.
        let Session { memo, sent, shows, told, .. } = session;
        if !self.acks
            && let Some((q, slot, id)) = quick::shown_by(payload)
        {
            self.unacknowledged(slot, tally);
            show(shows, q, slot, sent.get(usize::from(slot)).and_then(|sends| sends.at(id)), tally);
        }
        let (id, common) = quick::own(self.encoding, payload);
        if let Some(delta) = memo.known(self.seq + 1, common) {
            self.applied(id.unwrap_or_default())?;
            return self.delta(delta, now, shows, told, tally);
        }
        let message = quick::ack(payload)
            .map_or_else(|| self.encoding.decode_server(payload), |ack| Ok(ServerMessage::Ack(ack)))?;
        match message {
            ServerMessage::Delta(delta) => {
                self.applied(delta.id)?;
                let next = self.delta(&delta, now, shows, told, tally);
                memo.keep(common, delta);
                next
            }
            ServerMessage::Ack(ack) => {
                *told = ack.q.max(*told);
                let sent = sent[usize::from(self.slot)].at(ack.id);
                if !tally.counts_only {
                    show(shows, ack.q, self.slot, sent, tally);
                }
                self.answered(&ack, now, sent, tally)
            }
            ServerMessage::Refused(refused) => Ok(self.refused(&refused, tally)),
            ServerMessage::Forgotten(forgotten) => bail!("action {} is forgotten, and was sent once", forgotten.id),
            ServerMessage::Joined(joined) => self.admitted(&joined),
            ServerMessage::Snapshot(snapshot) => Ok(self.replace(snapshot, tally)),
            ServerMessage::Result(outcome) => {
                tally.counts.ended += 1;
                tally.trouble(|| format!("a fight ended: {}", as_told(&outcome.reason)));
                Ok(Next::Nothing)
            }
            ServerMessage::Error(error) => {
                tally.counts.errors += 1;
                tally.trouble(|| format!("the server says {}: {}", error.reason, error.message));
                ensure!(self.state != State::Joining, "the join was answered by {}: {}", error.reason, error.message);
                Ok(Next::Nothing)
            }
            ServerMessage::Left(_) => bail!("`left` came without a `leave`"),
            ServerMessage::Pong(_) => bail!("`pong` came without a `ping`"),
            // The service's token outlives any run: where it does not, the close at its end is what is told.
            ServerMessage::Expiring(_) => Ok(Next::Nothing),
            ServerMessage::Renewed(_) => bail!("`renewed` came without a `renew`"),
            ServerMessage::State(_)
            | ServerMessage::Relayed(_)
            | ServerMessage::Missed(_)
            | ServerMessage::Presence(_) => bail!("what is no fight's came"),
            ServerMessage::Unknown => bail!("what came is of no type that is known"),
        }
    }

    fn delta(&mut self, delta: &Delta, now: u64, shows: &mut Shows, told: &mut u64, tally: &mut Tally) -> Result<Next> {
        *told = delta.q.max(*told);
        if let Some(shown) = shows.seen(delta.q, now, self.is_away) {
            let histograms = if shown.slot == self.slot { &mut tally.actor } else { &mut tally.others };
            Tally::time(&tally.window, histograms.of(self.is_away), shown.sent, now);
        }
        self.apply(delta, tally)
    }

    /// What of this player's is applied only grows.
    fn applied(&mut self, id: u64) -> Result<()> {
        ensure!(id >= self.applied, "action {id} is the last that is applied, and {} was before", self.applied);
        self.applied = id;
        Ok(())
    }

    /// A delta that says whose action it shows is its answer.
    fn unacknowledged(&mut self, slot: u8, tally: &mut Tally) {
        if slot == self.slot {
            self.unanswered = self.unanswered.saturating_sub(1);
            tally.counts.acked += 1;
        }
    }

    fn apply(&mut self, delta: &Delta, tally: &mut Tally) -> Result<Next> {
        ensure!(delta.s == self.handle, "a delta of session {} came to one who joined {}", delta.s, self.handle);
        ensure!(self.state != State::Joining, "a delta came before the snapshot");
        tally.counts.deltas += 1;
        let mut outcome = self.view.apply(self.seq, delta);
        if let Err(gap @ Drift::Gap { expected, got }) = outcome {
            tally.counts.out_of_order += 1;
            tally.trouble(|| format!("slot {}: {gap}", self.slot));
            if got < expected {
                // Too late: it is not what a delta still missing would have shown.
                return Ok(Next::Nothing);
            }
            // What was between is missing, which is counted at the end; a digest will tell if the view suffered.
            outcome = self.view.apply(got - 1, delta);
        }
        self.seq = delta.q;
        self.shown += 1;
        match outcome {
            Ok(_) => Ok(Next::Nothing),
            // A view that waits for its snapshot has been counted.
            Err(_) if self.state == State::Rejoining => Ok(Next::Nothing),
            Err(drift) => {
                self.drift(drift, tally);
                self.state = State::Rejoining;
                Ok(Next::Rejoin)
            }
        }
    }

    fn answered(&mut self, ack: &Ack, now: u64, sent: Option<u64>, tally: &mut Tally) -> Result<Next> {
        ensure!(self.unanswered > 0, "action {} was acknowledged when none was waiting for an answer", ack.id);
        self.unanswered -= 1;
        tally.counts.acked += 1;
        if let Some(sent) = sent {
            Tally::time(&tally.window, &mut tally.ack, sent, now);
        }
        Ok(Next::Nothing)
    }

    fn refused(&mut self, refused: &Refused, tally: &mut Tally) -> Next {
        // Id 0 is a refused `ready`: the fight has begun without it.
        if refused.id > 0 {
            self.unanswered = self.unanswered.saturating_sub(1);
            tally.refusal(refused.reason.name());
        }
        Next::Nothing
    }

    fn admitted(&mut self, joined: &Joined) -> Result<Next> {
        ensure!(joined.slot == self.slot, "was given slot {} where {} was its seat", joined.slot, self.slot);
        self.handle = joined.s;
        Ok(Next::Nothing)
    }

    fn replace(&mut self, snapshot: Snapshot, tally: &mut Tally) -> Next {
        match self.state {
            State::Joining | State::Gone => {}
            State::Playing => tally.counts.conflated += 1,
            State::Rejoining => tally.counts.resynced += 1,
        }
        // What comes before a player's first snapshot is not owed to it; no action is sent before everybody has one.
        if self.state == State::Joining {
            self.first = snapshot.q;
        } else {
            self.skipped += snapshot.q.saturating_sub(self.seq);
        }
        self.seq = snapshot.q;
        self.state = State::Playing;
        let unverified = snapshot.view.clone();
        self.view = snapshot.verified().unwrap_or_else(|drift| {
            self.drift(drift, tally);
            unverified
        });
        Next::Nothing
    }

    fn drift(&self, drift: Drift, tally: &mut Tally) {
        tally.counts.drifted += 1;
        tally.trouble(|| format!("slot {} drifted: {drift}", self.slot));
    }
}

/// The delta `q` shows an action of `slot` that was sent at `sent`: those who were sent the delta before this was known are
/// timed now.
fn show(shows: &mut Shows, q: u64, slot: u8, sent: Option<u64>, tally: &mut Tally) {
    let Some(sent) = sent else {
        tally.counts.untimed += 1;
        tally.trouble(|| format!("delta {q} shows an action of slot {slot}, whose sending is not remembered"));
        return;
    };
    for (seen, is_away) in shows.told(q, Shown { slot, sent }) {
        Tally::time(&tally.window, tally.others.of(is_away), sent, seen);
    }
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::Reason;
    use tiltyard_protocol::server::{Patch, Phase};
    use tiltyard_protocol::view::ParticipantView;
    use uuid::Uuid;

    use super::*;

    struct Rig {
        player: Player,
        session: Session,
        tally: Tally,
    }

    /// A player in slot 0 of two who has joined at sequence 10 and sent action 1.
    fn rig() -> Rig {
        let mut rig = Rig {
            player: Player::new(0, true, Encoding::Json),
            session: Session::new(Uuid::from_u128(5), 2, 8),
            tally: Tally::new(),
        };
        let joined = Joined { session: Uuid::from_u128(5), s: 5, slot: 0, epoch: 1, ..Joined::default() };
        assert_eq!(rig.take(&ServerMessage::Joined(joined)), Next::Nothing);
        rig.take(&snapshot(10));
        rig.session.sent[0].note(1_000);
        rig.player.unanswered = 1;
        rig
    }

    impl Rig {
        fn take(&mut self, message: &ServerMessage) -> Next {
            self.try_take(message).unwrap()
        }

        fn try_take(&mut self, message: &ServerMessage) -> Result<Next> {
            let payload = serde_json::to_vec(message).unwrap();
            self.player.take(&payload, 3_000_000, &mut self.session, &mut self.tally)
        }
    }

    fn view() -> View {
        View { seats: 2, participants: vec![ParticipantView::default(); 2], ..View::default() }
    }

    fn snapshot(q: u64) -> ServerMessage {
        ServerMessage::Snapshot(Snapshot { s: 5, q, epoch: 1, view: view(), h: view().digest(), ..Snapshot::default() })
    }

    fn delta(q: u64, h: Option<u32>) -> ServerMessage {
        let patch = Patch { i: 1, hp: Some(7), ..Patch::default() };
        ServerMessage::Delta(Delta { s: 5, q, p: vec![patch], h, ..Delta::default() })
    }

    #[test]
    fn an_acknowledged_action_is_owed_until_its_delta_comes() {
        let mut rig = rig();
        rig.take(&ServerMessage::Ack(Ack { s: 5, id: 1, q: 11, ..Ack::default() }));
        assert_eq!((rig.player.missing(&rig.session), rig.player.unanswered), (1, 0));
        let mut after = view();
        after.participants[1].hp = 7;
        rig.take(&delta(11, Some(after.digest())));
        assert_eq!(rig.player.missing(&rig.session), 0);
        let counts = rig.tally.counts;
        assert_eq!((counts.acked, counts.deltas, counts.drifted, counts.out_of_order), (1, 1, 0, 0));
        assert!(
            rig.try_take(&ServerMessage::Ack(Ack { s: 5, id: 1, q: 11, ..Ack::default() })).is_err(),
            "a second answer"
        );
    }

    #[test]
    fn a_delta_that_is_only_counted_is_not_looked_at() {
        let mut rig = rig();
        rig.tally.counts_only = true;
        let wrong = serde_json::to_vec(&delta(99, Some(1))).unwrap();
        // Not before the fight is on, which a delta may say.
        assert_eq!(rig.player.take(&wrong, 0, &mut rig.session, &mut rig.tally).unwrap(), Next::Rejoin);
        let view = View {
            phase: Phase { status: SessionStatus::Active, phase: PhaseName::Active, ..Phase::default() },
            ..view()
        };
        let h = view.digest();
        rig.take(&ServerMessage::Snapshot(Snapshot { s: 5, q: 100, epoch: 1, view, h, ..Snapshot::default() }));
        let before = rig.tally.counts;
        rig.take(&delta(7, Some(1)));
        rig.take(&ServerMessage::Ack(Ack { s: 5, id: 1, q: 7, ..Ack::default() }));
        let since = rig.tally.counts.since(&before);
        assert_eq!((since.deltas, since.acked, since.drifted, since.out_of_order), (1, 1, 0, 0));
    }

    #[test]
    fn what_is_applied_is_each_players_own_and_does_not_go_back() {
        let mut rig = rig();
        let delta = |id, q| ServerMessage::Delta(Delta { id, s: 5, q, ..Delta::default() });
        rig.take(&delta(3, 11));
        // Another player's, of whom the harness had the same bytes.
        let mut other = Player::new(1, true, Encoding::Json);
        (other.handle, other.state, other.seq) = (5, State::Playing, 10);
        let payload = serde_json::to_vec(&delta(9, 11)).unwrap();
        other.take(&payload, 0, &mut rig.session, &mut rig.tally).unwrap();
        assert_eq!((rig.player.applied, other.applied), (3, 9));
        assert!(rig.try_take(&delta(2, 12)).is_err());
    }

    #[test]
    fn a_gap_is_out_of_order_and_what_it_skipped_is_missing() {
        let mut rig = rig();
        rig.take(&delta(13, None));
        assert_eq!((rig.tally.counts.out_of_order, rig.player.missing(&rig.session)), (1, 2));
        rig.take(&delta(12, None));
        assert_eq!((rig.tally.counts.out_of_order, rig.player.missing(&rig.session)), (2, 2), "late is not in time");
    }

    #[test]
    fn a_wrong_digest_is_a_drift_once_and_a_snapshot_heals_it() {
        let mut rig = rig();
        assert_eq!(rig.take(&delta(11, Some(1))), Next::Rejoin);
        assert_eq!(rig.take(&delta(12, Some(1))), Next::Nothing);
        rig.take(&snapshot(12));
        let counts = rig.tally.counts;
        assert_eq!((counts.drifted, counts.resynced, counts.conflated), (1, 1, 0));
        assert!(rig.player.joined());
    }

    #[test]
    fn a_snapshot_in_place_of_deltas_is_a_conflation_and_no_loss() {
        let mut rig = rig();
        rig.session.told = 13;
        rig.take(&snapshot(13));
        assert_eq!((rig.tally.counts.conflated, rig.player.missing(&rig.session)), (1, 0));
    }

    #[test]
    fn refusals_answer_by_reason_and_a_refused_ready_does_not_count() {
        let mut rig = rig();
        let refused = |id| ServerMessage::Refused(Refused::new(5, id, Reason::Cooldown));
        rig.take(&refused(0));
        assert_eq!(rig.player.unanswered, 1);
        rig.take(&refused(1));
        assert_eq!((rig.player.unanswered, rig.tally.refused.get("cooldown")), (0, Some(&1)));
    }

    #[test]
    fn what_the_protocol_does_not_allow_is_an_error() {
        let mut rig = rig();
        let other = ServerMessage::Delta(Delta { s: 6, q: 11, ..Delta::default() });
        assert!(rig.try_take(&other).is_err());
        assert!(rig.player.take(b"{}", 0, &mut rig.session, &mut rig.tally).is_err());
        let mut new = Player::new(1, true, Encoding::Json);
        let early = serde_json::to_vec(&ServerMessage::Delta(Delta::default())).unwrap();
        assert!(new.take(&early, 0, &mut rig.session, &mut rig.tally).is_err());
    }
}
