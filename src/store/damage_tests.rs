//! The embedded store on a disk that changes bits, loses commits, or is from before: what is other than it was is told.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;

use super::{SqliteStore, beside, options};
use crate::limits;
use crate::session::{FightStatus, Kind, Status};
use crate::store::upkeep::{self, copy};
use crate::store::{
    Batch, BucketRow, CombatFilter, Filter, KeyAnswer, KeyRow, LogRow, OpenError, PlayerRow, ReplayRow, RulesetRow,
    SessionRow, Store, StoreError,
};
use tiltyard_combat::Mode;

const FLIPS: usize = 500;
const SESSIONS: u8 = 32;
pub(super) const COMMITS: u8 = 8;

/// Of the flips; another one is asked for by the environment.
fn seed() -> u64 {
    let seed = std::env::var("TILTYARD_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_127);
    println!("TILTYARD_TEST_SEED={seed}");
    seed
}

/// The generator of that name: `SplitMix64`.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

pub(super) fn id(n: u8) -> Uuid {
    Uuid::from_u128(0x019f_0000_0000_7000_8000_0000_0000_0000 | (u128::from(n) << 64) | (u128::from(n) * 77))
}

fn player(n: u8) -> Uuid {
    Uuid::from_u128(0xaa00 | u128::from(n % 5))
}

fn session(n: u8) -> SessionRow {
    let kind = Kind::ALL[usize::from(n % 4)];
    let status = Status::ALL[usize::from(n / 4 % 4)];
    let fight = match status {
        Status::Active => FightStatus::Active,
        Status::Paused => FightStatus::Paused,
        Status::Completed => FightStatus::Completed,
        Status::Terminated => FightStatus::Terminated,
    };
    SessionRow {
        id: id(n),
        kind,
        status,
        player: player(n),
        created_at: 1_790_000_000_000 + i64::from(n),
        updated_at: 1_790_000_001_000 + i64::from(n),
        ended_at: status.is_end().then_some(1_790_000_002_000),
        expires_at: (!status.is_end()).then_some(1_790_000_900_000),
        version: i64::from(n) + 1,
        node: "a".to_owned(),
        fight: (kind == Kind::Combat).then_some((Mode::Pvp, fight)),
        metadata: n.is_multiple_of(3).then(|| format!(r#"{{"n":{n}}}"#)),
        settings: None,
        body: format!(r#"{{"n":{n},"text":"{}"}}"#, "what it says ".repeat(usize::from(n) * 3)),
        end_reason: status.is_end().then(|| "over".to_owned()),
        logs: 2,
        epoch: (n % 3).into(),
    }
}

fn hash(n: u8) -> [u8; 16] {
    *Uuid::from_u128(u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)).as_bytes()
}

/// The sessions of one commit with everything that belongs to them.
pub(super) fn batch(commit: u8) -> Batch {
    let of = |n: &u8| n % COMMITS == commit;
    let numbers: Vec<u8> = (0..SESSIONS).filter(of).collect();
    let sessions: Vec<SessionRow> = numbers.iter().map(|&n| session(n)).collect();
    let player_rows = |row: &SessionRow| {
        let of = |player| PlayerRow { session: row.id, player, kind: row.kind, status: row.status, fight: row.fight };
        [of(row.player), of(Uuid::from_u128(0xbb))]
    };
    let log = |n: u8, no| LogRow {
        session: id(n),
        no,
        at: 1_790_000_000_000,
        event: "created".to_owned(),
        message: None,
        data: Some(format!(r#"{{"no":{no}}}"#)),
    };
    let bytes =
        |n: u8, length: usize| (0..length).map(|at| n.wrapping_mul(31).wrapping_add(at.to_le_bytes()[0])).collect();
    Batch {
        players: sessions.iter().flat_map(player_rows).collect(),
        logs: numbers.iter().flat_map(|&n| [log(n, 1), log(n, 2)]).collect(),
        keys: numbers
            .iter()
            .map(|&n| KeyRow {
                hash: hash(n),
                fingerprint: hash(n + 100),
                created_at: 1_790_000_000_000,
                session: id(n),
                answer: n.is_multiple_of(2).then(|| KeyAnswer { status: 201, body: format!(r#"{{"n":{n}}}"#) }),
            })
            .collect(),
        buckets: numbers
            .iter()
            .map(|&n| BucketRow {
                node: "a".into(),
                width: 60,
                start: i64::from(n) * 60,
                series: 1,
                data: bytes(n, 40),
            })
            .collect(),
        replays: sessions
            .iter()
            .filter(|row| row.kind == Kind::Combat && row.status.is_end())
            .map(|row| ReplayRow { session: row.id, ruleset: [7; 32], data: bytes(row.logs.to_le_bytes()[0], 9_000) })
            .collect(),
        rulesets: vec![RulesetRow { hash: [7; 32], text: "[settings]\n".repeat(40) }],
        sessions,
        ..Batch::default()
    }
}

/// A store with everything in it, closed, as it is on the disk.
pub(super) async fn filled() -> TempDir {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    for commit in 0..COMMITS {
        store.commit(&batch(commit)).await.unwrap();
    }
    store.close().await;
    folder
}

async fn open(folder: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(&folder.join("s.db"), "a", false, false).await
}

/// One whose log nobody copies into the file, or starts over, but the test.
pub(super) async fn still(folder: &Path) -> SqliteStore {
    let store = open(folder).await.unwrap();
    // What would do so runs at the next await.
    store.stop.cancel();
    store
}

/// Everything that can be asked of a store, and what it says.
pub(super) async fn answers(store: &SqliteStore) -> BTreeMap<String, Result<String, StoreError>> {
    fn put<T: std::fmt::Debug>(
        all: &mut BTreeMap<String, Result<String, StoreError>>,
        question: String,
        answer: Result<T, StoreError>,
    ) {
        all.insert(question, answer.map(|answer| format!("{answer:?}")));
    }
    let mut all = BTreeMap::new();
    for n in 0..SESSIONS {
        put(&mut all, format!("one session {n}"), store.session(id(n)).await);
        put(&mut all, format!("one log {n}"), store.logs(id(n), i64::MAX, 100).await);
        put(&mut all, format!("one replay {n}"), store.replay(id(n)).await);
        put(&mut all, format!("one key {n}"), store.key(hash(n)).await);
    }
    for player in [None, Some(player(1)), Some(Uuid::from_u128(0xbb))] {
        for kind in [None, Some(Kind::Custom)] {
            for status in [None, Some(Status::Active)] {
                let filter = Filter { kind, status, player, before: None, limit: 100 };
                put(&mut all, format!("many {filter:?}"), store.list(&filter).await);
            }
        }
        for status in FightStatus::ALL {
            let filter = CombatFilter { status, mode: Some(Mode::Pvp), player, before: None, limit: 100 };
            put(&mut all, format!("many {filter:?}"), store.list_combat(&filter).await);
        }
    }
    for kind in Kind::ALL {
        for status in Status::ALL {
            put(&mut all, format!("many {kind:?} {status:?}"), store.of_node(kind, status, Uuid::nil(), 9).await);
        }
    }
    put(
        &mut all,
        "counts".to_owned(),
        store.counts().await.map(|counts| counts.iter().filter(|c| c.sessions != 0).copied().collect::<Vec<_>>()),
    );
    put(&mut all, "many buckets".to_owned(), store.buckets(60, 0, true).await);
    all
}

type Answers = BTreeMap<String, Result<String, StoreError>>;

/// How a store with a flipped bit was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// It is not opened.
    Refused,
    /// It is opened, and the check has found what keeps it from being served.
    Structure,
    /// Commits are missing.
    Lost,
    /// A row is named.
    Row,
    /// Everything is as it was.
    Harmless,
}

async fn judged(folder: &Path, should: &Answers) -> Result<Told, String> {
    let store = match open(folder).await {
        Ok(store) => store,
        Err(_refused) => return Ok(Told::Refused),
    };
    let Ok(found) = store.check().await else { return Ok(Told::Structure) };
    if !found.structure.is_empty() || !found.counts.is_empty() {
        return Ok(Told::Structure);
    }
    if store.figures.lost_commits.load(Ordering::Relaxed) > 0 {
        return Ok(Told::Lost);
    }
    let is = answers(&store).await;
    let (mut told, met) = (Told::Harmless, store.figures.damaged.load(Ordering::Relaxed));
    for (question, answer) in should {
        match (&is[question], answer) {
            (Err(_), _) => told = Told::Row,
            (Ok(is), Ok(should)) if is == should => {}
            // A list without the row that was named.
            (Ok(_), _) if question.starts_with("many") && met > 0 => told = Told::Row,
            (Ok(is), should) => return Err(format!("{question}: {is} and not {should:?}; {found:?}")),
        }
    }
    if found.damaged > 0 || met > 0 { Ok(Told::Row) } else { Ok(told) }
}

/// Flips a bit of `file` again and again, in copies of `folder`, and judges each.
async fn flip_in(folder: &Path, file: &str, should: Answers) -> BTreeMap<Told, usize> {
    let should = Arc::new(should);
    let whole = Arc::new(fs::read(folder.join(file)).unwrap());
    let others: Vec<_> = ["s.db", "s.db-wal", "s.commits"]
        .into_iter()
        .filter(|other| *other != file && folder.join(other).exists())
        .map(|other| (other.to_owned(), fs::read(folder.join(other)).unwrap()))
        .collect();
    let others = Arc::new(others);
    let (seed, next) = (seed(), Arc::new(AtomicUsize::new(0)));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (should, whole, others, next, file) =
            (Arc::clone(&should), Arc::clone(&whole), Arc::clone(&others), Arc::clone(&next), file.to_owned());
        let runtime = tokio::runtime::Handle::current();
        workers.spawn_blocking(move || {
            runtime.block_on(async move {
                let mut told: BTreeMap<Told, usize> = BTreeMap::new();
                loop {
                    // One of its own: what closes the last one's files may take a moment more.
                    let copy = TempDir::new().unwrap();
                    let flip = next.fetch_add(1, Ordering::Relaxed);
                    if flip >= FLIPS {
                        return told;
                    }
                    let drawn = draw(&mut (seed ^ ((flip as u64) << 32)));
                    let bit = usize::try_from(drawn % (whole.len() as u64 * 8)).unwrap();
                    let mut bad = (*whole).clone();
                    bad[bit / 8] ^= 1 << (bit % 8);
                    fs::write(copy.path().join(&file), bad).unwrap();
                    for (name, bytes) in &*others {
                        fs::write(copy.path().join(name), bytes).unwrap();
                    }
                    let judged = judged(copy.path(), &should).await;
                    let how = judged.unwrap_or_else(|silent| panic!("bit {bit} of {file} in silence: {silent}"));
                    *told.entry(how).or_default() += 1;
                }
            })
        });
    }
    let mut sum = BTreeMap::new();
    while let Some(told) = workers.join_next().await {
        for (how, times) in told.unwrap() {
            *sum.entry(how).or_default() += times;
        }
    }
    println!("{FLIPS} flips of {file}: {sum:?}");
    sum
}

/// As it is after a copy that was broken off: wherever it ends, that is damage, by name, and nothing that waiting would mend.
#[tokio::test]
async fn a_file_that_ends_too_early_is_damaged_wherever_that_is() {
    const CUTS: usize = 60;
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    for commit in 0..COMMITS {
        store.commit(&batch(commit)).await.unwrap();
        if commit == COMMITS / 2 {
            // So much that what comes after it is far from what is read to open the file.
            let mut raw = options(&folder.path().join("s.db"), false).connect().await.unwrap();
            raw.execute("CREATE TABLE room (bytes BLOB); INSERT INTO room VALUES (zeroblob(2000000))").await.unwrap();
            raw.close().await.unwrap();
        }
    }
    let should = answers(&store).await;
    store.close().await;
    let whole = fs::read(folder.path().join("s.db")).unwrap();
    let (mut read_too_short, end) = (0, whole.len() - 4_096 * CUTS);
    for cut in 0..CUTS {
        let copy = TempDir::new().unwrap();
        fs::write(copy.path().join("s.db"), &whole[..end + 4_096 * cut + 100]).unwrap();
        fs::copy(folder.path().join("s.commits"), copy.path().join("s.commits")).unwrap();
        let store = match open(copy.path()).await {
            Ok(store) => store,
            Err(refused) => {
                assert!(refused.to_string().contains("cannot be read"), "{cut}: {refused}");
                continue;
            }
        };
        let is = answers(&store).await;
        let met = store.figures.damaged.load(Ordering::Relaxed);
        for (question, answer) in &is {
            match answer {
                Err(StoreError::Damaged(_)) => read_too_short += 1,
                Err(error) => panic!("{cut}: {question}: {error}"),
                // A list without the row that was named.
                Ok(_) if question.starts_with("many") && met > 0 => {}
                Ok(answer) => assert_eq!(Some(answer), should[question].as_ref().ok(), "{cut}: {question}"),
            }
        }
        store.close().await;
    }
    assert!(read_too_short > 0, "what is only found when it is read is among them");
}

/// Wherever in the text that makes the tables a bit is flipped: a start says so. Where it opens all the same, that was text which a later one has
/// replaced, and nothing is otherwise; or a row behind it, which is named.
#[tokio::test]
async fn a_flipped_bit_in_what_makes_the_tables_is_damage_by_name() {
    let folder = TempDir::new().unwrap();
    let store = open(folder.path()).await.unwrap();
    store.commit(&batch(0)).await.unwrap();
    let should = format!("{:?}", answers(&store).await);
    store.close().await;
    let whole = fs::read(folder.path().join("s.db")).unwrap();
    let (mut refused, mut opened, mut begins) = (0, 0, 0);
    while let Some(at) = whole[begins..].windows(7).position(|bytes| bytes == b"CREATE ").map(|at| begins + at) {
        let end = whole[at..].iter().position(|&byte| byte == 0).map_or(whole.len(), |length| at + length);
        begins = end;
        let is_sqlx = whole[at..end].windows(5).any(|bytes| bytes == b"_sqlx");
        for place in (at..end.min(at + 2_000)).step_by(37).filter(|_| !is_sqlx) {
            let copy = TempDir::new().unwrap();
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            fs::write(copy.path().join("s.db"), bytes).unwrap();
            fs::copy(folder.path().join("s.commits"), copy.path().join("s.commits")).unwrap();
            match open(copy.path()).await {
                Ok(store) => {
                    let is = format!("{:?}", answers(&store).await);
                    let met = store.figures.damaged.load(Ordering::Relaxed);
                    assert!(is == should || met > 0, "{place}: {is}");
                    store.close().await;
                    opened += 1;
                }
                Err(error) => {
                    let said = error.to_string();
                    assert!(said.contains("cannot be read") && said.contains("--accept-loss"), "{place}: {said}");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 50 && opened > 0, "{refused} refused, {opened} opened");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flipped_bit_of_the_file_changes_content_in_silence() {
    let folder = filled().await;
    let store = open(folder.path()).await.unwrap();
    let should = answers(&store).await;
    assert!(store.check().await.unwrap().is_sound());
    store.close().await;
    let told = flip_in(folder.path(), "s.db", should).await;
    assert!(told[&Told::Row] > FLIPS / 20 && told[&Told::Structure] > FLIPS / 20, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_flipped_bit_of_the_write_ahead_log_loses_commits_in_silence() {
    for copied in [false, true] {
        let (folder, left) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let store = still(folder.path()).await;
        for commit in 0..COMMITS {
            store.commit(&batch(commit)).await.unwrap();
        }
        if copied {
            copy(&mut store.writer().unwrap().lock().await.connection).await.unwrap();
        }
        // As a kill leaves it.
        for file in ["s.db", "s.db-wal", "s.commits"] {
            fs::copy(folder.path().join(file), left.path().join(file)).unwrap();
        }
        let should = answers(&store).await;
        let told = flip_in(left.path(), "s.db-wal", should).await;
        assert!(told[&Told::Refused] > FLIPS / 2 && told[&Told::Lost] > 0, "{told:?}");
    }
}

#[tokio::test]
async fn commits_cut_off_the_log_and_a_store_from_before_are_told() {
    let folder = TempDir::new().unwrap();
    let store = still(folder.path()).await;
    store.commit(&batch(0)).await.unwrap();
    copy(&mut store.writer().unwrap().lock().await.connection).await.unwrap();
    let before = fs::read(folder.path().join("s.db")).unwrap();
    for commit in 1..4 {
        store.commit(&batch(commit)).await.unwrap();
    }
    let kept = TempDir::new().unwrap();
    for file in ["s.db", "s.db-wal", "s.commits"] {
        fs::copy(folder.path().join(file), kept.path().join(file)).unwrap();
    }
    let lost = async |path: &Path| open(path).await.unwrap().figures.lost_commits.load(Ordering::Relaxed);
    let wal = kept.path().join("s.db-wal");
    let whole = fs::read(&wal).unwrap();
    fs::write(&wal, &whole[..whole.len() - 5]).unwrap();
    assert_eq!(lost(kept.path()).await, 1, "a torn end");
    let restored = TempDir::new().unwrap();
    fs::write(restored.path().join("s.db"), before).unwrap();
    fs::copy(folder.path().join("s.commits"), restored.path().join("s.commits")).unwrap();
    assert_eq!(lost(restored.path()).await, 3, "one from before");
}

#[tokio::test]
async fn a_store_that_is_gone_or_empty_is_missed_and_its_log_is_kept() {
    let folder = TempDir::new().unwrap();
    let store = still(folder.path()).await;
    for commit in 0..3 {
        store.commit(&batch(commit)).await.unwrap();
    }
    let log = fs::read(folder.path().join("s.db-wal")).unwrap();
    assert!(!log.is_empty());
    for is_there in [false, true] {
        let kept = TempDir::new().unwrap();
        for file in ["s.db-wal", "s.commits"] {
            fs::copy(folder.path().join(file), kept.path().join(file)).unwrap();
        }
        let path = kept.path().join("s.db");
        if is_there {
            fs::write(&path, "").unwrap();
        }
        for _ in 0..2 {
            let said = open(kept.path()).await.unwrap_err().to_string();
            assert!(said.contains("3 commits were acknowledged") && said.contains("--accept-loss"), "{said}");
            assert!(said.contains(if is_there { "is empty" } else { "is gone" }), "{said}");
            assert_eq!(crate::store::gone(&path).unwrap(), Some(3));
            assert_eq!(fs::read(kept.path().join("s.db-wal")).unwrap(), log, "nothing is thrown away");
        }
        let anew = SqliteStore::open(&path, "n", false, true).await.unwrap();
        assert_eq!(anew.figures.lost_commits.load(Ordering::Relaxed), 3);
        assert_eq!(fs::read(kept.path().join("s.db-wal.damaged")).unwrap(), log);
        anew.close().await;
        open(kept.path()).await.unwrap();
    }
    // One that nobody has ever written to is no store.
    assert_eq!(crate::store::gone(&TempDir::new().unwrap().path().join("s.db")).unwrap(), None);
}

#[tokio::test]
async fn a_log_damaged_in_the_middle_is_read_as_far_as_it_goes_where_that_is_accepted() {
    let (folder, kept) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = still(folder.path()).await;
    for commit in 0..3 {
        store.commit(&batch(commit)).await.unwrap();
    }
    for file in ["s.db", "s.db-wal", "s.commits"] {
        fs::copy(folder.path().join(file), kept.path().join(file)).unwrap();
    }
    let wal = kept.path().join("s.db-wal");
    let mut bytes = fs::read(&wal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&wal, &bytes).unwrap();
    let said = open(kept.path()).await.unwrap_err().to_string();
    assert!(said.contains("write-ahead log is damaged") && said.contains("--accept-loss"), "{said}");
    assert_eq!(fs::read(&wal).unwrap(), bytes, "nothing was changed");
    let path = kept.path().join("s.db");
    let store = SqliteStore::open(&path, "a", false, true).await.unwrap();
    assert!(store.figures.lost_commits.load(Ordering::Relaxed) > 0);
    assert_eq!(fs::read(beside(&path, "-wal.damaged")).unwrap(), bytes, "kept");
    assert_eq!(fs::metadata(&wal).unwrap().len(), 0, "and what was read of it is in the file");
}

#[tokio::test]
async fn stores_of_before_get_their_sums_once() {
    let folder = filled().await;
    let store = open(folder.path()).await.unwrap();
    let should = answers(&store).await;
    store.close().await;
    let path = folder.path().join("s.db");
    let mut raw = options(&path, false).connect().await.unwrap();
    let tables =
        ["sessions", "session_players", "session_logs", "idempotency_keys", "analytics_buckets", "replays", "rulesets"];
    // As the migration leaves them.
    let forget = async |raw: &mut SqliteConnection| {
        for table in tables {
            let sql = sqlx::AssertSqlSafe(format!("UPDATE {table} SET sum = -1"));
            raw.execute(sqlx::raw_sql(sql)).await.unwrap();
        }
    };
    forget(&mut raw).await;
    raw.execute("UPDATE store_self SET summed = 0").await.unwrap();
    raw.close().await.unwrap();
    let store = open(folder.path()).await.unwrap();
    let is = answers(&store).await;
    assert_eq!(format!("{is:?}"), format!("{should:?}"));
    let found = store.check().await.unwrap();
    assert!(found.is_sound() && found.rows > 200, "{found:?}");
    store.close().await;
    // Afterwards a row without a sum is a damaged one.
    let mut raw = options(&path, false).connect().await.unwrap();
    forget(&mut raw).await;
    raw.close().await.unwrap();
    let store = open(folder.path()).await.unwrap();
    assert_eq!(store.check().await.unwrap().damaged, found.rows);
    assert!(matches!(store.session(id(3)).await, Err(StoreError::Damaged(_))));
    let page = store.list(&Filter { limit: 100, ..Filter::default() }).await.unwrap();
    assert_eq!((page.sessions.len(), page.damaged, page.total), (0, SESSIONS.into(), SESSIONS.into()));
}

#[tokio::test]
async fn counts_and_indexes_are_made_anew() {
    let folder = filled().await;
    let mut raw = options(&folder.path().join("s.db"), false).connect().await.unwrap();
    raw.execute("UPDATE session_counts SET n = n + 1; UPDATE player_counts SET n = n + 3").await.unwrap();
    raw.close().await.unwrap();
    let store = open(folder.path()).await.unwrap();
    assert_eq!(store.check().await.unwrap().counts.len(), 2);
    store.mend().await.unwrap();
    assert!(store.check().await.unwrap().is_sound());
}

#[tokio::test]
async fn damaged_rows_that_are_accepted_as_lost_are_taken_out_and_kept() {
    let folder = filled().await;
    let path = folder.path().join("s.db");
    let mut raw = options(&path, false).connect().await.unwrap();
    let damage = "UPDATE sessions SET body = body || ' ' WHERE version IN (4, 5);
        UPDATE idempotency_keys SET created_at = 'no number', answer = x'ff00' WHERE created_at > 0 AND status IS NULL;
        UPDATE replays SET data = x'00'";
    raw.execute(damage).await.unwrap();
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM replays").fetch_one(&mut raw).await.unwrap();
    raw.close().await.unwrap();
    let damaged = u64::from(SESSIONS / 2) + 2 + rows.unsigned_abs();
    let store = open(folder.path()).await.unwrap();
    assert_eq!(store.check().await.unwrap().damaged, damaged);
    assert_eq!(store.take_out().await.unwrap(), damaged);
    store.mend().await.unwrap();
    assert!(store.check().await.unwrap().is_sound());
    assert_eq!(store.session(id(3)).await.unwrap(), None);
    assert_eq!(store.session(id(5)).await.unwrap(), Some(session(5)));
    assert_eq!(store.take_out().await.unwrap(), 0, "once");
    let kept = fs::read_to_string(folder.path().join("s.db.damaged-rows")).unwrap();
    assert_eq!(kept.lines().count() as u64, damaged);
    let lines = kept.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let of_session = lines.filter(|line| line["table"] == "sessions" && line["row"]["version"] == 4);
    let bodies: Vec<_> = of_session.map(|line| line["row"]["body"].clone()).collect();
    assert_eq!(bodies, [format!("{} ", session(3).body)]);
    assert!(kept.contains(r#""answer":{"hex":"ff00"}"#) && kept.contains(r#""created_at":"no number""#), "{kept}");
}

#[tokio::test]
async fn the_log_is_cut_off_once_it_was_copied_and_the_file_shrinks() {
    let folder = TempDir::new().unwrap();
    let store = still(folder.path()).await;
    let log = folder.path().join("s.db-wal");
    store.commit(&batch(0)).await.unwrap();
    let connection = &mut store.writer().unwrap().lock().await.connection;
    connection.execute("INSERT INTO replays VALUES (zeroblob(16), x'07', zeroblob(12000000), 0)").await.unwrap();
    assert!(fs::metadata(&log).unwrap().len() > 2 * limits::WAL_KEPT_BYTES);
    copy(connection).await.unwrap();
    connection.execute("DELETE FROM replays").await.unwrap();
    assert!(fs::metadata(&log).unwrap().len() <= limits::WAL_KEPT_BYTES, "the first commit into it");
    assert!(upkeep::room(connection, &store.figures).await.unwrap(), "there is room to give back");
    let before = store.figures.bytes.load(Ordering::Relaxed);
    while upkeep::room(connection, &store.figures).await.unwrap() {
        upkeep::give_back(connection).await.unwrap();
    }
    let after = store.figures.bytes.load(Ordering::Relaxed);
    assert!(after < before / 2, "{before} bytes before, {after} after");
}
