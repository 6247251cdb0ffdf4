//! What the committer does with a store that does not answer, or did what it was asked and did not say so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tiltyard_combat::load::load;
use tiltyard_combat::replay::Entry;
use tiltyard_combat::{Input, Replay};
use tiltyard_protocol::Reason;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::keys::Keys;
use super::{Body, Change, Kept, Login, Member, NewRecord, Record, RecordObserver, Records, Room};
use crate::analytics::counting::Counting;
use crate::book::News;
use crate::hub::Hub;
use crate::limits;
use crate::rules::Library;
use crate::session::{Exceeded, Expected, FightInfo, Kind, Quota, Status, Update, Viewer};
use crate::shard::{self, Control, Logged, NewFight, ShardConfig, renewals};
use crate::socket::budget::Allowance;
use crate::store::{
    Answer, Batch, BucketRow, CombatFilter, Count, Filter, KeptReplay, KeyAnswer, KeyRow, LogRow, Page, Past,
    SessionRow, SqliteStore, Store, StoreError,
};
use tiltyard_combat::Mode;

const GOOD: u8 = 0;
/// Keeps nothing, and is not available.
const AWAY: u8 = 1;
/// Keeps everything, and says that it was not available.
const UNSURE: u8 = 2;
/// Never answers.
const SILENT: u8 = 3;

/// A real store behind a connection that can fail.
#[derive(Debug)]
struct Wired {
    store: Arc<SqliteStore>,
    wire: Arc<AtomicU8>,
}

impl Store for Wired {
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Vec<Uuid>> {
        Box::pin(async move {
            while self.wire.load(Ordering::SeqCst) == SILENT {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let wire = self.wire.load(Ordering::SeqCst);
            let refused = if wire == AWAY { Vec::new() } else { self.store.commit(batch).await? };
            if wire == GOOD { Ok(refused) } else { Err(StoreError::Unavailable("as the test asks".to_owned())) }
        })
    }

    fn of_node(&self, kind: Kind, status: Status, after: Uuid, limit: usize) -> Answer<'_, Vec<SessionRow>> {
        self.store.of_node(kind, status, after, limit)
    }

    fn session(&self, id: Uuid) -> Answer<'_, Option<SessionRow>> {
        self.store.session(id)
    }

    fn sessions<'a>(&'a self, ids: &'a [Uuid]) -> Answer<'a, Vec<SessionRow>> {
        self.store.sessions(ids)
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Page> {
        self.store.list(filter)
    }

    fn list_combat<'a>(&'a self, filter: &'a CombatFilter) -> Answer<'a, Page> {
        self.store.list_combat(filter)
    }

    fn logs(&self, session: Uuid, before: i64, limit: usize) -> Answer<'_, Vec<LogRow>> {
        self.store.logs(session, before, limit)
    }

    fn replay(&self, session: Uuid) -> Answer<'_, Option<KeptReplay>> {
        self.store.replay(session)
    }

    fn key(&self, hash: [u8; 16]) -> Answer<'_, Option<KeyRow>> {
        self.store.key(hash)
    }

    fn counts(&self) -> Answer<'_, Vec<Count>> {
        self.store.counts()
    }

    fn buckets(&self, width: i32, since: i64, own: bool) -> Answer<'_, Vec<BucketRow>> {
        self.store.buckets(width, since, own)
    }

    fn sweep(&self, past: Past, limit: usize) -> Answer<'_, u64> {
        self.store.sweep(past, limit)
    }
}

/// Records with everything they need around them.
struct World {
    records: Records,
    hub: Hub,
    store: Arc<SqliteStore>,
    wire: Arc<AtomicU8>,
    stop: CancellationToken,
    committing: JoinHandle<()>,
    lost: JoinHandle<()>,
    threads: Vec<std::thread::JoinHandle<()>>,
    folder: TempDir,
}

impl World {
    async fn start(folder: TempDir) -> Self {
        let store = Arc::new(SqliteStore::open(&folder.path().join("store.db"), "a", false, false).await.unwrap());
        let wire = Arc::new(AtomicU8::new(GOOD));
        let wired = Box::new(Wired { store: Arc::clone(&store), wire: Arc::clone(&wire) });
        let counting = Arc::new(Counting::restored(&*wired, "a", metrics::Histogram::noop()).await.unwrap());
        let (records, committer) = Records::open(wired, "a").await.unwrap();
        let (book, library) = (Arc::clone(records.book()), Arc::new(Library::built_in()));
        let stop = CancellationToken::new();
        tokio::spawn(book.fill_replays(Arc::clone(&library), stop.clone(), Arc::default()));
        let config = ShardConfig {
            shards: 1,
            data: folder.path().to_owned(),
            redis: None,
            sync: false,
            accept_loss: false,
            allowance: Allowance::UNLIMITED,
            renewals: renewals().0,
            desks: shard::Desks::default(),
            book,
            library,
        };
        let (handles, threads) = shard::start(&config).unwrap();
        let hub = Hub::new(handles);
        let lost = tokio::spawn(super::lost::end_lost_fights(records.clone(), hub.clone(), None, Arc::default()));
        let running = committer.run(hub.clone(), counting as Arc<dyn RecordObserver>, 1_000_000, stop.clone());
        Self { records, hub, store, wire, stop, committing: tokio::spawn(running), lost, threads, folder }
    }

    async fn stop(self) -> TempDir {
        self.hub.drain();
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.stop.cancel();
        self.committing.await.unwrap();
        // It holds the store for as long as it looks.
        self.lost.abort();
        let _ = self.lost.await;
        self.folder
    }

    fn new_record(key: Option<KeyRow>) -> Box<NewRecord> {
        let (id, player) = (key.as_ref().map_or_else(Uuid::now_v7, |key| key.session), Uuid::from_u128(1));
        let members = smallvec::smallvec![Member { player, joined_at: 0 }];
        let body = Body::Custom(Box::new(Room { ttl_ms: 1 << 40, max_members: 9, members, state: "{}".into() }));
        let answer: super::change::AnswerOf = |_, _| KeyAnswer { status: 201, body: "{}".into() };
        let key = key.map(|key| (key, answer));
        Box::new(NewRecord { id, player, body, metadata: None, settings: None, replace: false, key })
    }

    async fn create(&self, key: Option<KeyRow>) -> Result<Uuid, Reason> {
        let new = Self::new_record(key);
        let id = new.id;
        let made = self.records.change(Kind::Custom, Change::Create(new)).await;
        made.map(|_| id).map_err(|refusal| refusal.reason)
    }

    async fn rename(&self, id: Uuid) -> Result<u64, Reason> {
        // Another name each time: the same again would be no change.
        let metadata = format!(r#"{{"name":"{}"}}"#, Uuid::now_v7());
        let update = Update { metadata: Some(metadata.into()), ..Update::default() };
        let change = Change::Update { id, expected: Expected::default(), update };
        let done = self.records.change(Kind::Custom, change).await;
        done.map(|changed| changed.record.unwrap().version).map_err(|refusal| refusal.reason)
    }

    /// The wire is mended: the next change goes through, once the pause after the failure is over.
    async fn mend(&self) -> Uuid {
        self.wire.store(GOOD, Ordering::SeqCst);
        loop {
            match self.create(None).await {
                Ok(id) => return id,
                Err(Reason::StoreUnavailable) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(reason) => panic!("{reason}"),
            }
        }
    }

    async fn total(&self) -> i64 {
        let filter = Filter { limit: 9, player: Some(Uuid::from_u128(1)), ..Filter::default() };
        let page = self.store.list(&filter).await.unwrap();
        assert_eq!(page.total, i64::try_from(page.sessions.len()).unwrap());
        page.total
    }
}

fn fight() -> NewFight {
    NewFight {
        id: Uuid::now_v7(),
        mode: Mode::Pve,
        creator: Uuid::from_u128(1),
        participants: vec![Uuid::from_u128(1)],
        seats: 1,
        ruleset: Arc::clone(Library::built_in().by_name("default").unwrap()),
        rules: tiltyard_combat::Rules::default(),
        teams: Vec::new(),
        settings: String::new(),
        metadata: String::new(),
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_is_not_there_once_the_store_is_back() {
    for wire in [AWAY, UNSURE] {
        let world = World::start(TempDir::new().unwrap()).await;
        let old = world.create(None).await.unwrap();
        world.wire.store(wire, Ordering::SeqCst);
        assert_eq!(world.create(None).await, Err(Reason::StoreUnavailable));
        let at_once = tokio::time::timeout(Duration::from_millis(200), world.rename(old)).await;
        assert_eq!(at_once.expect("refused without asking again"), Err(Reason::StoreUnavailable));
        world.mend().await;
        assert_eq!(world.total().await, 2, "the old one and the one that mended it");
        world.stop().await;
    }
}

#[tokio::test]
async fn a_committer_that_hangs_is_known_to() {
    let world = World::start(TempDir::new().unwrap()).await;
    let goes_round = async || {
        while world.records.beat().is_late() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // It goes round with nothing to do, too.
    world.records.0.beat.stop();
    tokio::time::timeout(Duration::from_secs(20), goes_round()).await.expect("it goes round");
    world.wire.store(SILENT, Ordering::SeqCst);
    let create = world.create(None);
    let hangs = async {
        tokio::time::sleep(Duration::from_millis(4 * limits::EXPIRY_MS)).await;
        world.records.0.beat.stop();
        tokio::time::sleep(Duration::from_millis(4 * limits::EXPIRY_MS)).await;
        assert!(world.records.beat().is_late(), "it waits for the store, and nobody knows for how long");
        world.wire.store(GOOD, Ordering::SeqCst);
    };
    let (created, ()) = tokio::join!(create, hangs);
    created.unwrap();
    tokio::time::timeout(Duration::from_secs(20), goes_round()).await.expect("it goes round again");
    world.stop().await;
}

#[tokio::test]
async fn a_change_of_unknown_outcome_is_taken_back() {
    let world = World::start(TempDir::new().unwrap()).await;
    let id = world.create(None).await.unwrap();
    world.wire.store(UNSURE, Ordering::SeqCst);
    assert_eq!(world.rename(id).await, Err(Reason::StoreUnavailable));
    assert_eq!(world.store.session(id).await.unwrap().unwrap().version, 2, "the store has it");
    assert_eq!(world.records.live(id).unwrap().version, 1, "nobody was shown it");
    world.mend().await;
    let row = world.store.session(id).await.unwrap().unwrap();
    assert_eq!((row.version, row.metadata, row.logs), (1, None, 1));
    assert_eq!(world.rename(id).await, Ok(2));
    let events: Vec<_> = world.store.logs(id, 9, 9).await.unwrap().into_iter().map(|log| log.event).collect();
    assert_eq!(events, ["updated", "created"], "each entry once");
    world.stop().await;
}

/// Rows of a clock that was a day ahead, as a process that ended before it was set back has left them.
#[tokio::test]
async fn a_clock_that_was_set_back_before_a_start_leaves_nothing_stuck() {
    const DAY: u64 = 24 * 60 * 60 * 1_000;
    let (folder, then, player) = (TempDir::new().unwrap(), crate::clock::now_ms() + DAY, Uuid::from_u128(7));
    let login = Login { idle_ms: DAY, absolute_at: then + 60_000, scope: "play".into(), generation: 1, seen_at: then };
    let presence = Body::Player(super::Presence { heartbeat_ms: 1_000, reconnect_ms: 60_000 });
    let room = Body::Custom(Box::new(Room {
        ttl_ms: 60_000,
        max_members: 9,
        members: smallvec::smallvec![],
        state: "{}".into(),
    }));
    let records =
        [presence, Body::Auth(Box::new(login)), room].map(|body| Record::new(Uuid::now_v7(), player, body, then));
    let batch = Batch {
        sessions: records.iter().map(|record| record.row("a")).collect(),
        players: records.iter().flat_map(Record::player_rows).collect(),
        ..Batch::default()
    };
    let store = SqliteStore::open(&folder.path().join("store.db"), "a", false, false).await.unwrap();
    store.commit(&batch).await.unwrap();
    drop(store);

    let world = World::start(folder).await;
    assert_eq!(world.records.counters().clamped.load(Ordering::Relaxed), 3);
    let latest = crate::clock::now_ms() + 120_000;
    for record in &records {
        let live = world.records.live(record.id).unwrap();
        assert!(live.created_at < latest && live.updated_at < latest, "{live:?}");
        assert!(live.expires_at().unwrap() < latest, "it ends when it would have: {live:?}");
    }
    let presence = world.records.live(records[0].id).unwrap();
    let before = presence.expires_at();
    presence.see(crate::clock::now_ms() + 5_000);
    assert!(presence.expires_at() > before, "a sign of life counts");
    // The store is told, too.
    let rewritten = async || {
        while world.store.session(records[1].id).await.unwrap().unwrap().created_at >= latest.cast_signed() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), rewritten()).await.expect("it is not told");
    let end = Change::End { id: records[0].id, expected: Expected::default(), reason: "x".into() };
    let ended = world.records.change(Kind::Player, end).await.unwrap().record.unwrap();
    assert!(ended.ended_at.unwrap() >= ended.created_at && ended.updated_at >= ended.created_at);
    let filter = Filter { limit: 9, ..Filter::default() };
    assert_eq!(world.store.list(&filter).await.unwrap().sessions.len(), 3);
    assert!(world.store.check().await.unwrap().is_sound(), "with sums of what they are now");
    world.stop().await;
}

#[tokio::test]
async fn a_join_and_an_end_of_unknown_outcome_are_taken_back() {
    let world = World::start(TempDir::new().unwrap()).await;
    let (joined, ended) = (world.create(None).await.unwrap(), world.create(None).await.unwrap());
    let bob = Uuid::from_u128(2);
    world.wire.store(UNSURE, Ordering::SeqCst);
    let end = Change::End { id: ended, expected: Expected::default(), reason: "x".into() };
    let join = Change::Join { id: joined, expected: Expected::default(), player: bob };
    let (end, join) = tokio::join!(world.records.change(Kind::Custom, end), world.records.change(Kind::Custom, join));
    assert!(end.is_err() && join.is_err());
    world.mend().await;
    let of = |player, status| Filter { player: Some(player), status: Some(status), limit: 9, ..Filter::default() };
    let page = world.store.list(&of(bob, Status::Active)).await.unwrap();
    assert_eq!((page.total, page.sessions.len()), (0, 0), "bob is in nothing");
    let page = world.store.list(&of(Uuid::from_u128(1), Status::Active)).await.unwrap();
    assert_eq!((page.total, page.sessions.len()), (3, 3), "nothing has ended");
    world.stop().await;
}

#[tokio::test]
async fn what_is_in_doubt_is_bounded_and_taken_back_before_anything_new() {
    let world = World::start(TempDir::new().unwrap()).await;
    world.records.0.doubt().most = 3;
    world.wire.store(UNSURE, Ordering::SeqCst);
    let commits = || world.records.counters().commit_failures.load(Ordering::Relaxed);
    while commits() < 7 {
        assert_eq!(world.create(None).await, Err(Reason::StoreUnavailable));
    }
    let doubtful = world.records.0.doubt().sessions.len();
    assert_eq!(doubtful, 3, "nothing more is tried");
    let id = world.mend().await;
    assert_eq!(world.total().await, 1, "of all that was tried nothing is left");
    assert!(world.records.0.doubt().is_empty() && world.records.live(id).is_some());
    world.stop().await;
}

#[tokio::test]
async fn a_join_that_is_asked_for_again_right_after_is_a_join() {
    for wire in [AWAY, UNSURE] {
        let world = World::start(TempDir::new().unwrap()).await;
        let (id, bob) = (world.create(None).await.unwrap(), Uuid::from_u128(2));
        world.wire.store(wire, Ordering::SeqCst);
        assert!(
            world
                .records
                .change(Kind::Custom, Change::Join { id, expected: Expected::default(), player: bob })
                .await
                .is_err()
        );
        world.wire.store(GOOD, Ordering::SeqCst);
        while world
            .records
            .change(Kind::Custom, Change::Join { id, expected: Expected::default(), player: bob })
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let page = world.store.list(&Filter { player: Some(bob), limit: 9, ..Filter::default() }).await.unwrap();
        assert_eq!((page.total, page.sessions.len()), (1, 1));
        world.stop().await;
    }
}

#[tokio::test]
async fn a_request_whose_client_went_away_keeps_its_key_until_it_is_over() {
    let world = World::start(TempDir::new().unwrap()).await;
    let keys = Keys::default();
    let ask = || keys.begin(&world.records, ["ann", "create", "k"], [1; 16], Uuid::now_v7(), None);
    let begun = ask().await.unwrap();
    let (row, running) = (begun.row, begun.running);
    let new = World::new_record(Some(row));
    let mut change = Box::pin(world.records.change_for(Kind::Custom, Change::Create(new), Some(running)));
    // Sent, and then nobody waits for it any more.
    assert!(futures_util::poll!(&mut change).is_pending());
    drop(change);
    let begun = loop {
        match ask().await {
            Ok(begun) => break begun,
            Err(refusal) => assert_eq!(refusal.reason, Reason::IdempotencyRunning),
        }
        tokio::task::yield_now().await;
    };
    assert!(begun.row.answer.is_some(), "the first request was carried out, and is the only one");
    world.stop().await;
}

#[tokio::test]
async fn chores_are_done_however_busy_it_is() {
    let world = World::start(TempDir::new().unwrap()).await;
    let body = Body::Player(super::Presence { heartbeat_ms: 50, reconnect_ms: 100 });
    let new = NewRecord { body, ..*World::new_record(None) };
    let change = Change::Create(Box::new(new));
    let id = world.records.change(Kind::Player, change).await.unwrap().record.unwrap().id;
    let busy = world.create(None).await.unwrap();
    let until_expired = async {
        while world.records.live(id).is_some() {
            tokio::join!(world.rename(busy), world.rename(busy), world.rename(busy)).0.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(10), until_expired).await.expect("its time was over long ago");
    world.stop().await;
}

#[tokio::test]
async fn a_key_is_known_only_with_its_effect() {
    let world = World::start(TempDir::new().unwrap()).await;
    let keys = Keys::default();
    let ask = || keys.begin(&world.records, ["ann", "create", "k"], [1; 16], Uuid::now_v7(), None);
    let begun = ask().await.unwrap();
    assert_eq!(ask().await.unwrap_err().reason, Reason::IdempotencyRunning);
    keys.over(["ann", "create", "another"]).await;
    let mut over = Box::pin(keys.over(["ann", "create", "k"]));
    assert!(futures_util::poll!(&mut over).is_pending(), "it runs");
    world.wire.store(UNSURE, Ordering::SeqCst);
    assert_eq!(world.create(Some(begun.row.clone())).await, Err(Reason::StoreUnavailable));
    drop(begun);
    over.await;
    let doubtful = ask().await.unwrap_err().reason;
    assert_eq!(doubtful, Reason::StoreUnavailable, "what the store says of it is going to be taken back");
    world.mend().await;
    let begun = ask().await.unwrap();
    assert!(!begun.repeated, "the first try had no effect");
    world.create(Some(begun.row.clone())).await.unwrap();
    drop(begun);
    let begun = ask().await.unwrap();
    assert_eq!(begun.row.answer, Some(KeyAnswer { status: 201, body: "{}".into() }));
    drop(begun);
    let other = keys.begin(&world.records, ["ann", "create", "k"], [2; 16], Uuid::now_v7(), None).await;
    assert_eq!(other.unwrap_err().reason, Reason::IdempotencyMismatch);
    world.stop().await;
}

#[tokio::test]
async fn what_a_players_keys_keep_in_a_day_is_bounded_and_repeats_are_served_all_the_same() {
    let world = World::start(TempDir::new().unwrap()).await;
    let (keys, ann, bob) = (Keys::default(), Uuid::from_u128(1), Uuid::from_u128(2));
    let ask = async |key, payer| {
        let begun = keys.begin(&world.records, ["x", "act", key], [1; 16], Uuid::nil(), payer).await;
        begun.and_then(|begun| begun.spend(&world.records).map(|()| begun))
    };
    let answer = || KeyAnswer { status: 200, body: "x".repeat(200_000) };
    let daily = world.records.book().daily();
    // But for room for one answer and a half, all of a day's are spent: far more than comes back while this runs.
    daily.keys.charge(ann, limits::KEY_BYTES_PER_PLAYER_DAY - 300_000, daily.now());
    let mut kept = 0;
    let refusal = loop {
        match ask(["a", "b", "c"][kept], Some(ann)).await {
            Ok(begun) => begun.complete(&world.records, answer()).await,
            Err(refusal) => break refusal,
        }
        kept += 1;
    };
    assert_eq!((kept, refusal.reason), (2, Reason::QuotaExceeded), "their answers count");
    let Exceeded { quota, limit, .. } = refusal.quota.unwrap();
    assert_eq!((quota, limit), (Quota::DailyKeyBytes, limits::KEY_BYTES_PER_PLAYER_DAY));
    assert!(refusal.retry_ms.is_some());
    assert_eq!(world.records.book().holdings().refused(Quota::DailyKeyBytes), 1);
    assert_eq!(ask("a", Some(ann)).await.unwrap().row.answer, Some(answer()));
    for other in [Some(bob), None] {
        assert!(ask("d", other).await.is_ok());
    }
    world.stop().await;
}

#[tokio::test]
async fn fights_go_on_without_the_store_and_reach_it_later() {
    let world = World::start(TempDir::new().unwrap()).await;
    world.wire.store(AWAY, Ordering::SeqCst);
    let id = world.hub.create_for(Viewer::All, fight(), Vec::new()).await.unwrap().id;
    tokio::time::timeout(Duration::from_secs(2), world.records.book().settled(id)).await.expect("nobody waits long");
    assert!(world.store.session(id).await.unwrap().is_none());
    assert!(
        matches!(world.records.kept(id).await.unwrap().map(|owned| owned.kept), Some(Kept::Fight(_))),
        "it is not lost sight of"
    );
    world.mend().await;
    let row = loop {
        if let Some(row) = world.store.session(id).await.unwrap() {
            break row;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((row.kind, row.status), (Kind::Combat, Status::Active));
    world.stop().await;
}

#[tokio::test]
async fn the_replay_of_an_ended_fight_waits_for_the_store_and_is_the_fight() {
    let world = World::start(TempDir::new().unwrap()).await;
    let id = world.hub.create_for(Viewer::All, fight(), Vec::new()).await.unwrap().id;
    world.wire.store(UNSURE, Ordering::SeqCst);
    world.hub.control(id, Expected::default(), Control::Terminate { force: true }).await.unwrap();
    let book = Arc::clone(world.records.book());
    while !book.store_is_away() {
        tokio::task::yield_now().await;
    }
    assert!(!book.is_kept(id), "its shard keeps it until it is");
    world.mend().await;
    while !book.is_kept(id) {
        tokio::task::yield_now().await;
    }
    let kept = world.store.replay(id).await.unwrap().expect("a replay");
    let (replay, ruleset) = (Replay::decode(&kept.data).unwrap(), load(&kept.text).unwrap());
    assert_eq!((replay.session, replay.text.as_str()), (id.as_u128(), ""));
    assert!(
        replay.entries().any(|entry| matches!(entry, Ok(Entry::Input { input: Input::Terminate { force: true }, .. })))
    );
    replay.play(Arc::new(ruleset), |_| ()).unwrap();
    let past = Past { ended: i64::MAX, keys: 0, buckets: [(0, 0); 4] };
    assert_eq!(world.store.sweep(past, 10).await.unwrap(), 1);
    assert!(world.store.replay(id).await.unwrap().is_none(), "it goes with its session");
    world.stop().await;
}

#[tokio::test]
async fn a_fight_whose_log_is_gone_ends() {
    let world = World::start(TempDir::new().unwrap()).await;
    let id = world.hub.create_for(Viewer::All, fight(), Vec::new()).await.unwrap().id;
    world.records.book().settled(id).await;
    let world = World::start(world.stop().await).await;
    assert_eq!(world.store.session(id).await.unwrap().unwrap().status, Status::Active, "its log is there");
    let folder = world.stop().await;
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    let world = World::start(folder).await;
    let row = loop {
        let row = world.store.session(id).await.unwrap().unwrap();
        if row.status.is_end() {
            break row;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((row.status, row.end_reason.as_deref()), (Status::Terminated, Some("failed")));
    world.stop().await;
}

#[tokio::test]
async fn a_fight_whose_log_is_from_before_is_told_of_once_and_by_what_the_log_has() {
    let world = World::start(TempDir::new().unwrap()).await;
    let made = world.hub.create_for(Viewer::All, fight(), Vec::new()).await.unwrap();
    let (id, seq, epoch) = (made.id, 7, 3);
    // Further on than the shard has it, as far as the store knows.
    world.records.book().put(FightInfo { epoch, seq, ..made }, News::Changed);
    world.records.book().settled(id).await;
    let told = || world.records.counters().rolled_back.load(Ordering::Relaxed);
    for (behind, epochs_behind, is_told) in [(0, 0, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (7, 2, 1)] {
        let before = told();
        let logged = Logged { id, seq: seq - behind, epoch: epoch - epochs_behind };
        let standing = world.records.standing_of(&[logged]).await.unwrap();
        assert_eq!(standing.epochs.get(&id), Some(&epoch));
        super::lost::end_lost_fights(world.records.clone(), world.hub.clone(), None, Arc::default()).await;
        assert_eq!(told() - before, is_told, "{behind} steps and {epochs_behind} epochs behind");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_restart_finds_what_was_acknowledged() {
    let world = World::start(TempDir::new().unwrap()).await;
    let id = world.create(None).await.unwrap();
    world.rename(id).await.unwrap();
    let world = World::start(world.stop().await).await;
    assert_eq!(world.records.live(id).unwrap().version, 2);
    let end = Change::End { id, expected: Expected::default(), reason: "x".into() };
    world.records.change(Kind::Custom, end).await.unwrap();
    let world = World::start(world.stop().await).await;
    assert!(world.records.live(id).is_none());
    let Some(Kept::Record(record)) = world.records.kept(id).await.unwrap().map(|owned| owned.kept) else { panic!() };
    assert_eq!((record.version, record.status), (3, Status::Terminated));
    world.records.kept(id).await.unwrap();
    assert_eq!(world.records.cache_hits_and_misses(), (1, 1), "the second read is answered from memory");
    world.stop().await;
}
