//! Lists: filters, pages to the end without a gap or a repeat, and counts that are right.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use uuid::Uuid;

use super::case::{Case, TYPES, new};
use super::reply::Reply;

async fn filters(case: Case) {
    let [ann, bob] = [Uuid::new_v4(), Uuid::new_v4()];
    let mut of_ann = HashMap::new();
    for kind in TYPES {
        of_ann.insert(kind, case.create(kind, ann).await.id());
        case.create(kind, Uuid::new_v4()).await;
    }
    let fight = case.fight(&[ann, bob]).await.id();
    case.put(&format!("/sessions/{}", of_ann["custom"]), &json!({ "status": "paused" })).expect(200).await;
    case.delete(&format!("/sessions/{}", of_ann["auth"])).expect(200).await;

    let listed = async |query: String| {
        let reply = case.get(&format!("/sessions?{query}")).expect(200).await;
        assert_eq!(reply.body["total_count"], reply.ids().len(), "{query}");
        reply.ids().into_iter().collect::<HashSet<_>>()
    };
    let set = |ids: &[Uuid]| ids.iter().copied().collect::<HashSet<_>>();
    let everything = [&of_ann.values().copied().collect::<Vec<_>>()[..], &[fight]].concat();
    assert_eq!(listed(format!("player_id={ann}")).await, set(&everything), "as owner and as participant");
    assert_eq!(listed(format!("player_id={bob}")).await, set(&[fight]), "as participant");
    for kind in ["player", "auth", "custom"] {
        assert_eq!(listed(format!("player_id={ann}&type={kind}")).await, set(&[of_ann[kind]]));
    }
    assert_eq!(listed(format!("player_id={ann}&type=combat")).await, set(&[of_ann["combat"], fight]));
    assert_eq!(listed(format!("player_id={ann}&status=paused")).await, set(&[of_ann["custom"]]));
    assert_eq!(listed(format!("player_id={ann}&status=terminated")).await, set(&[of_ann["auth"]]));
    assert_eq!(listed(format!("player_id={ann}&status=terminated&type=custom")).await, set(&[]));
    // A fight that is not yet begun is active in this view.
    assert_eq!(listed(format!("player_id={ann}&status=active&type=combat")).await, set(&[of_ann["combat"], fight]));
    assert_eq!(listed("status=completed".to_owned()).await, set(&[]));
    assert_eq!(listed("type=custom".to_owned()).await.len(), 2);
}

async fn fights_by_status_and_mode(case: Case) {
    let player = Uuid::new_v4();
    let mut by_mode = HashMap::new();
    for mode in ["pvp", "pve", "arena", "tournament"] {
        let body = json!({ "mode": mode, "participants": [player, Uuid::new_v4()] });
        by_mode.insert(mode, case.post("/combat/sessions", &body).expect(201).await.id());
    }
    let mut active = case.node.fight(2, crate::support::plain_rules()).await;
    active.begin().await;
    let ended = case.fight(&[player, Uuid::new_v4()]).await;
    case.delete(&ended.path("")).json(&json!({ "force": true })).expect(200).await;

    let listed = async |query: &str| case.get(&format!("/combat/sessions?{query}")).expect(200).await.ids();
    assert_eq!(listed("").await, [active.id], "those that are active, where nothing is said");
    assert_eq!(listed("status=terminated").await, [ended.id()]);
    assert_eq!(listed("status=initializing").await.len(), 4);
    for (mode, id) in by_mode {
        assert_eq!(listed(&format!("status=initializing&mode={mode}")).await, [id]);
    }
    assert_eq!(listed("status=initializing&mode=custom").await, [] as [Uuid; 0]);
}

async fn pages_have_no_gap_and_no_repeat_while_sessions_are_made(case: Case) {
    let player = Uuid::new_v4();
    let mut known = HashSet::new();
    for _ in 0..45 {
        known.insert(case.create("custom", player).await.id());
    }
    let case = Arc::new(case);
    let going = Arc::new(AtomicBool::new(true));
    let maker = tokio::spawn({
        let (case, going) = (Arc::clone(&case), Arc::clone(&going));
        async move {
            let mut made = 0;
            while going.load(Ordering::Relaxed) {
                case.post("/sessions", &new("custom", player, json!({}))).expect(201).await;
                made += 1;
            }
            made
        }
    });
    let pages = walk(&case, &format!("/sessions?player_id={player}&limit=4"), Reply::ids).await;
    going.store(false, Ordering::Relaxed);
    assert!(maker.await.unwrap() > 0);
    let walked: Vec<Uuid> = pages.concat();
    let distinct: HashSet<Uuid> = walked.iter().copied().collect();
    assert_eq!(distinct.len(), walked.len(), "none comes twice");
    assert!(known.is_subset(&distinct), "none of those that were there is left out");
    assert!(walked.is_sorted_by(|a, b| a > b), "newest first");
}

async fn counts_and_ends_are_exact(case: Case) {
    let player = Uuid::new_v4();
    for _ in 0..6 {
        case.create("custom", player).await;
    }
    let path = |limit: u32| format!("/sessions?player_id={player}&limit={limit}");
    for (limit, pages) in [(3, 2), (4, 2), (6, 1), (100, 1), (1, 6)] {
        let walked = walk(&case, &path(limit), Reply::ids).await;
        assert_eq!((walked.len(), walked.concat().len()), (pages, 6), "limit {limit}");
    }
    let first = case.get(&path(4)).expect(200).await;
    assert_eq!((&first.body["total_count"], &first.body["has_more"]), (&json!(6), &json!(true)));
    assert_eq!(
        case.get(&format!("/sessions?player_id={player}")).expect(200).await.ids().len(),
        6,
        "20 is the default"
    );
    let none = case.get(&format!("/sessions?player_id={}", Uuid::new_v4())).expect(200).await;
    assert_eq!((&none.body["total_count"], &none.body["has_more"]), (&json!(0), &json!(false)));
    assert!(none.ids().is_empty());

    for _ in 0..3 {
        case.fight(&[player, Uuid::new_v4()]).await;
    }
    let pages = walk(&case, "/combat/sessions?status=initializing&limit=2", Reply::ids).await;
    assert_eq!((pages.len(), pages.concat().len()), (2, 3));
}

/// Every page from `path` to the last.
pub async fn walk<T>(case: &Case, path: &str, items: impl Fn(&Reply) -> Vec<T>) -> Vec<Vec<T>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = case.get(&format!("{path}{cursor}")).expect(200).await;
        pages.push(items(&page));
        assert!(pages.len() < 500, "{path} has no end");
        let next = page.body["next_cursor"].as_str();
        assert_eq!(page.body["has_more"], next.is_some(), "{path}: {}", page.body["has_more"]);
        match next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

on_both_stores!(
    filters,
    fights_by_status_and_mode,
    pages_have_no_gap_and_no_repeat_while_sessions_are_made,
    counts_and_ends_are_exact,
);
