//! Changes on their way into the store: what they would make of the sessions, seen by later changes of the same batch and by
//! nobody else until the batch is committed.

use crate::session::PerKind;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::body::{Body, Login, Member, Room};
use super::change::{Change, Changed, NewRecord};
use super::record::Record;
use super::residents::Residents;
use super::rooms::Watches;
use crate::clock;
use crate::json::Json;
use crate::limits;
use crate::session::{Exceeded, Expected, Kind, Quota, Refusal, Status, Update};
use crate::shard::room::desk::Changed as Step;
use crate::store::{Batch, KeyRow, LogRow};

/// A batch in the making.
#[derive(Debug)]
pub struct Stage<'a> {
    residents: PerKind<&'a Residents>,
    now: u64,
    /// This node's name, which goes into rows and answers.
    node: &'a str,
    records: HashMap<Uuid, Arc<Record>>,
    /// Sessions that begin in this batch, by type and owner.
    created: HashMap<(Kind, Uuid), Vec<Uuid>>,
    created_of_kind: PerKind<usize>,
    /// Sessions whose players' rows have to be written.
    moved: HashSet<Uuid>,
    left: Vec<(Uuid, Uuid)>,
    batch: Batch,
    watches: Option<&'a Watches>,
    /// What has become of sessions that somebody is connected to, version by version.
    steps: HashMap<Uuid, Vec<Step>>,
}

/// What a stage leaves: the sessions' new states, and what the store is to keep.
#[derive(Debug)]
pub struct Staged {
    /// With whether they begin in this batch.
    pub records: Vec<(Arc<Record>, bool)>,
    pub batch: Batch,
    /// Of those that somebody is connected to, version by version.
    pub steps: HashMap<Uuid, Vec<Step>>,
}

type Done = Result<Changed, Refusal>;

impl<'a> Stage<'a> {
    /// Nothing yet, at `now` in Unix milliseconds.
    pub fn new(residents: PerKind<&'a Residents>, now: u64, node: &'a str) -> Self {
        Self {
            residents,
            now,
            node,
            records: HashMap::new(),
            created: HashMap::new(),
            created_of_kind: PerKind::default(),
            moved: HashSet::new(),
            left: Vec::new(),
            batch: Batch::default(),
            watches: None,
            steps: HashMap::new(),
        }
    }

    /// Notes what becomes of these.
    #[must_use]
    pub fn watching(self, watches: &'a Watches) -> Self {
        Self { watches: Some(watches), ..self }
    }

    /// Stages one change. The answer is true once the batch is committed.
    pub fn apply(&mut self, change: Change) -> Done {
        match change {
            Change::Create(new) => self.create(*new),
            Change::Update { id, expected, update } => self.update(id, &expected, update),
            Change::End { id, expected, reason } => self.end_by_hand(id, &expected, &reason),
            Change::Join { id, expected, player } => self.join(id, &expected, player),
            Change::Leave { id, expected, player } => self.leave(id, &expected, player),
            Change::Patch { id, expected, patch, by } => self.patch(id, &expected, patch, by),
            Change::Refresh { id, expected, generation } => self.refresh(id, &expected, generation),
            Change::Revoke { player } => Ok(self.revoke(player)),
            Change::Expire { id } => self.expire(id),
            Change::Touch { id } => self.touch(id),
            Change::Keep { id } => self.keep(id),
            Change::Key(row) => {
                self.batch.keys.retain(|other| other.hash != row.hash);
                self.batch.keys.push(*row);
                Ok(Changed::default())
            }
            Change::Forget(hash) => {
                self.batch.keys.retain(|other| other.hash != hash);
                self.batch.undone_keys.push(hash);
                Ok(Changed::default())
            }
        }
    }

    /// What has been staged.
    pub fn finish(mut self) -> Staged {
        for record in self.records.values() {
            if self.moved.contains(&record.id) {
                self.batch.sessions.push(record.row(self.node));
                self.batch.players.extend(record.player_rows());
            } else {
                self.batch.contents.push(record.row(self.node));
            }
        }
        let records = &self.records;
        self.left.retain(|(id, player)| records.get(id).is_none_or(|record| !record.concerns(*player)));
        self.batch.left.append(&mut self.left);
        let created: HashSet<Uuid> = self.created.into_values().flatten().collect();
        let records = self.records.into_values().map(|record| (Arc::clone(&record), created.contains(&record.id)));
        Staged { records: records.collect(), batch: self.batch, steps: self.steps }
    }

    fn create(&mut self, new: NewRecord) -> Done {
        let mut record = Record::new(new.id, new.player, new.body, self.now);
        record.created_at = clock::created_at(new.id, self.now);
        record.updated_at = record.updated_at.max(record.created_at);
        let kind = record.kind();
        if self.residents[kind].count() + self.created_of_kind[kind] >= limits::RECORDS_PER_TYPE {
            return Err(Reason::TooManySessions.into());
        }
        let live = self.live_of(kind, new.player);
        match (kind, live.first()) {
            (Kind::Player, Some(&other)) if !new.replace => {
                return Err(Refusal { session: Some(other), ..Refusal::from(Reason::AlreadyActive) });
            }
            (Kind::Player, Some(&other)) => {
                let record = self.live(other)?.copy();
                self.finish_record(record, Status::Terminated, "replaced");
            }
            _ if live.len() >= limits::RECORDS_PER_PLAYER => {
                return Err(exceeded(Quota::LiveSessions, limits::RECORDS_PER_PLAYER, live.len()));
            }
            _ => {}
        }
        record.metadata = new.metadata;
        record.settings = new.settings;
        self.check_room(&record, record.bytes())?;
        self.log(&mut record, "created", None);
        self.created.entry((kind, record.player)).or_default().push(record.id);
        self.created_of_kind[kind] += 1;
        self.moved.insert(record.id);
        let record = self.put(record);
        if let Some((key, answer)) = new.key {
            self.batch.keys.push(KeyRow { answer: Some(answer(&record, self.node)), ..key });
        }
        Ok(changed(record))
    }

    fn update(&mut self, id: Uuid, expected: &Expected, update: Update) -> Done {
        let current = self.live(id)?;
        expected.check(current.version)?;
        let (metadata, settings) = (current.metadata.as_deref(), current.settings.as_deref());
        let update = update.beyond(current.status, metadata.unwrap_or_default(), settings.unwrap_or_default());
        if update.is_empty() {
            return Ok(changed(current));
        }
        let length = |text: &Option<Box<str>>| text.as_deref().map_or(0, str::len);
        self.check_room(&current, length(&update.metadata) + length(&update.settings))?;
        let mut record = current.copy();
        let fields: Vec<&str> = [("metadata", update.metadata.is_some()), ("settings", update.settings.is_some())]
            .into_iter()
            .filter_map(|(name, given)| given.then_some(name))
            .collect();
        if !fields.is_empty() {
            self.log(&mut record, "updated", Some(&json!({ "fields": fields })));
        }
        record.metadata = update.metadata.or(record.metadata);
        record.settings = update.settings.or(record.settings);
        match update.status {
            Some(Status::Completed) => return Ok(changed(self.finish_record(record, Status::Completed, "completed"))),
            Some(Status::Terminated) => {
                return Ok(changed(self.finish_record(record, Status::Terminated, "terminated")));
            }
            Some(status) => {
                self.log(&mut record, if status == Status::Paused { "paused" } else { "resumed" }, None);
                record.status = status;
                self.moved.insert(id);
            }
            None => {}
        }
        Ok(changed(self.put_new_version(record)))
    }

    fn end_by_hand(&mut self, id: Uuid, expected: &Expected, reason: &str) -> Done {
        let current = self.live(id)?;
        expected.check(current.version)?;
        Ok(changed(self.finish_record(current.copy(), Status::Terminated, reason)))
    }

    fn join(&mut self, id: Uuid, expected: &Expected, player: Uuid) -> Done {
        let current = self.open_room(id)?;
        expected.check(current.version)?;
        if current.members().iter().any(|member| member.player == player) {
            return Ok(changed(current));
        }
        let (mut record, now) = (current.copy(), self.now);
        let room = room(&mut record)?;
        if room.members.len() >= room.max_members as usize {
            return Err(Reason::SessionFull.into());
        }
        room.members.push(Member { player, joined_at: now });
        self.moved.insert(id);
        self.log(&mut record, "joined", Some(&json!({ "player_id": player })));
        Ok(changed(self.put_new_version(record)))
    }

    fn leave(&mut self, id: Uuid, expected: &Expected, player: Uuid) -> Done {
        // Nobody is held by a pause.
        let current = self.live(id)?;
        expected.check(current.version)?;
        let mut record = current.copy();
        let room = room(&mut record)?;
        let before = room.members.len();
        room.members.retain(|member| member.player != player);
        if room.members.len() == before {
            return Err(Reason::NotAParticipant.into());
        }
        self.moved.insert(id);
        self.left.push((id, player));
        self.log(&mut record, "left", Some(&json!({ "player_id": player })));
        Ok(changed(self.put_new_version(record)))
    }

    fn patch(&mut self, id: Uuid, expected: &Expected, patch: Json, by: Option<Uuid>) -> Done {
        let current = self.open_room(id)?;
        expected.check(current.version)?;
        let mut record = current.copy();
        let room = room(&mut record)?;
        let mut state = Json::parse(room.state.as_bytes()).map_err(|_| Reason::Internal)?;
        let merge = self.is_watched(id).then(|| patch.to_text().into());
        state.merge(patch);
        let text = state.to_text();
        if *text == *room.state {
            return Ok(changed(current));
        }
        if text.len() > limits::STATE_BYTES {
            return Err(Reason::BodyTooLarge.into());
        }
        let growth = text.len().saturating_sub(room.state.len());
        self.check_room(&current, growth)?;
        room.state = text.into();
        self.log(&mut record, "state_changed", None);
        Ok(changed(self.put_step(record, merge, by)))
    }

    fn refresh(&mut self, id: Uuid, expected: &Expected, generation: u32) -> Done {
        let current = self.live(id).map_err(|_| Reason::Unauthorized)?;
        let mut record = current.copy();
        let (newest, now) = (login(&mut record)?.generation, self.now);
        let expired = record.expires_at().is_some_and(|expires_at| expires_at <= now);
        if generation != newest || expired || record.status != Status::Active {
            if generation < newest {
                self.finish_record(record, Status::Terminated, "refresh_token_reused");
            }
            return Err(Reason::Unauthorized.into());
        }
        // Behind all that: a stolen token must not be tried for nothing.
        expected.check(record.version)?;
        let login = login(&mut record)?;
        login.generation += 1;
        login.seen_at = now;
        record.see(now);
        self.log(&mut record, "refreshed", None);
        Ok(changed(self.put(record)))
    }

    fn revoke(&mut self, player: Uuid) -> Changed {
        let mut ended = 0;
        for id in self.live_of(Kind::Auth, player) {
            if let Ok(record) = self.live(id) {
                self.finish_record(record.copy(), Status::Terminated, "revoked");
                ended += 1;
            }
        }
        Changed { record: None, ended }
    }

    fn expire(&mut self, id: Uuid) -> Done {
        let current = self.live(id)?;
        if !current.expire(self.now) {
            return Ok(changed(current));
        }
        Ok(changed(self.finish_record(current.copy(), Status::Terminated, "expired")))
    }

    fn touch(&mut self, id: Uuid) -> Done {
        let mut record = self.live(id)?.copy();
        let seen_at = record.seen_at();
        match &mut record.body {
            Body::Auth(login) => login.seen_at = seen_at,
            Body::Custom(_) => record.updated_at = self.now.max(record.updated_at),
            Body::Player(_) => return Err(Reason::WrongType.into()),
        }
        Ok(changed(self.put(record)))
    }

    fn keep(&mut self, id: Uuid) -> Done {
        let record = self.live(id)?.copy();
        self.moved.insert(id);
        Ok(changed(self.put(record)))
    }

    fn is_watched(&self, id: Uuid) -> bool {
        self.watches.is_some_and(|watches| watches.has(id))
    }

    /// The session as this batch would have it, while it lives.
    fn live(&self, id: Uuid) -> Result<Arc<Record>, Refusal> {
        let record = match self.records.get(&id) {
            Some(record) => Some(record),
            None => self.residents.all().iter().find_map(|residents| residents.get(id)),
        };
        match record {
            Some(record) if record.status.is_end() => Err(Reason::InvalidTransition.into()),
            Some(record) => Ok(Arc::clone(record)),
            // It was there when the caller looked.
            None => Err(Reason::InvalidTransition.into()),
        }
    }

    /// A custom session that takes changes.
    fn open_room(&self, id: Uuid) -> Result<Arc<Record>, Refusal> {
        let record = self.live(id)?;
        match (&record.body, record.status) {
            (Body::Custom(_), Status::Active) => Ok(record),
            (Body::Custom(_), _) => Err(Reason::Paused.into()),
            _ => Err(Reason::WrongType.into()),
        }
    }

    /// Whether the type has room for `growth` more bytes of a session, and its owner too. What is staged is not counted: a
    /// batch is small beside the limits.
    fn check_room(&self, record: &Record, growth: usize) -> Result<(), Refusal> {
        let residents = self.residents[record.kind()];
        if residents.bytes() + growth > limits::RECORD_BYTES_PER_TYPE {
            return Err(Reason::TooManySessions.into());
        }
        // What is small is bounded by the number of sessions.
        if growth > limits::RECORD_BYTES_SMALL {
            let owned: usize = residents.owned(record.player).map(|record| record.bytes()).sum();
            if owned + growth > limits::RECORD_BYTES_PER_PLAYER {
                return Err(exceeded(Quota::SessionBytes, limits::RECORD_BYTES_PER_PLAYER, owned));
            }
        }
        Ok(())
    }

    /// Ids of a player's live sessions of a type.
    fn live_of(&self, kind: Kind, player: Uuid) -> Vec<Uuid> {
        let resident = self.residents[kind].owned(player).map(|record| record.id);
        let created = self.created.get(&(kind, player)).into_iter().flatten().copied();
        resident.chain(created).filter(|&id| self.live(id).is_ok()).collect()
    }

    /// Ends a session.
    fn finish_record(&mut self, mut record: Record, status: Status, reason: &str) -> Arc<Record> {
        let data = json!({ "reason": reason });
        self.log(&mut record, status.name(), Some(&data));
        record.status = status;
        record.ended_at = Some(self.now.max(record.created_at));
        record.end_reason = Some(reason.into());
        self.moved.insert(record.id);
        self.put_new_version(record)
    }

    fn put_new_version(&mut self, record: Record) -> Arc<Record> {
        self.put_step(record, None, None)
    }

    /// The same with what was merged into its state, and by whom.
    fn put_step(&mut self, mut record: Record, merge: Option<Box<str>>, by: Option<Uuid>) -> Arc<Record> {
        record.version += 1;
        if self.is_watched(record.id) {
            self.steps.entry(record.id).or_default().push(Step { version: record.version, merge, by });
        }
        // A clock that was set back does not make a session older.
        record.updated_at = self.now.max(record.updated_at);
        self.put(record)
    }

    fn put(&mut self, record: Record) -> Arc<Record> {
        let record = Arc::new(record);
        self.records.insert(record.id, Arc::clone(&record));
        record
    }

    fn log(&mut self, record: &mut Record, event: &str, data: Option<&Value>) {
        record.logs += 1;
        let no = i64::from(record.logs);
        self.batch.logs.push(LogRow {
            session: record.id,
            no,
            at: self.now.cast_signed(),
            event: event.to_owned(),
            message: None,
            data: data.map(Value::to_string),
        });
        if no > limits::SESSION_LOGS {
            self.batch.trims.push((record.id, no - limits::SESSION_LOGS));
        }
    }
}

fn exceeded(quota: Quota, limit: usize, used: usize) -> Refusal {
    Exceeded { quota, limit: limit as u64, used: used as u64, retry_ms: None }.into()
}

fn changed(record: Arc<Record>) -> Changed {
    Changed { record: Some(record), ended: 0 }
}

fn room(record: &mut Record) -> Result<&mut Room, Reason> {
    let Body::Custom(room) = &mut record.body else { return Err(Reason::WrongType) };
    Ok(room)
}

fn login(record: &mut Record) -> Result<&mut Login, Reason> {
    let Body::Auth(login) = &mut record.body else { return Err(Reason::WrongType) };
    Ok(login)
}
