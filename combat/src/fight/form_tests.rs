//! The form that the state digest is taken over, of a fight that has everything a fight can have.

use smallvec::smallvec;

use super::super::Turn;
use super::{Fight, GivenUp, Totals};
use crate::digest::{self, Form};
use crate::field::HazardState;
use crate::motion::Motion;
use crate::participant::{Link, Participant, ParticipantStatus, Played};
use crate::status::{Active, Cast, Used};
use crate::{Point, Rules, Ruleset, Target, Velocity};

/// Every number of it is another one, as far as there are so many.
fn fight() -> Fight {
    let rules = Rules { health: 101, armor: 7, teams: 2, ..Rules::default() };
    let mut fight = Fight::plain(rules, 3, &[0x0011_2233_4455_6677_8899_AABB_CCDD_EEFF, 2], 0xA11CE);
    (fight.clock.now, fight.clock.stopped, fight.clock.host, fight.seq) = (1_001, 1_002, 1_003, 1_004);
    fight.given_up = Some(Box::new(GivenUp { seats: vec![(1, 77)] }));
    fight.teams = Box::new([1, 0]);
    fight.totals = Totals { actions: 2_001, refused: 2_002, damage: 2_003, eliminations: 2_004 };
    fight.field.covers = smallvec![3_001];
    fight.field.hazards = smallvec![HazardState { health: 3_002, gone: true, next: 3_003 }];
    fight.field.modifiers = smallvec![31, 32];
    (fight.rounds.over, fight.rounds.wins) = (4, smallvec![(1, 3)]);
    fight.turn = Some(Turn { order: smallvec![1, 0], at: 1, until: 4_001 });
    (fight.waves.come, fight.waves.due) = (5, 5_001);
    let p = &mut fight.participants[0];
    (p.status, p.link, p.ready, p.activity) = (ParticipantStatus::Disconnected, Link::Down, true, 3);
    (p.hp, p.shield, p.charge, p.ammo, p.reload_at) = (6_001, 6_002, 6_003, 6_004, 6_005);
    (p.guard_until, p.defend_ready_at, p.attack_ready_at, p.moved_at) = (6_006, 6_007, 6_008, 6_009);
    (p.at, p.seen_by, p.deeds, p.forfeit_at) = (Point::new(-1, 500), 1 << 100, 6_010, 6_011);
    p.motion = Motion::new(271, Velocity::new(-303, 404));
    p.effects = smallvec![Active { effect: 1, by: 2, stacks: 3, absorbs: 7_001, until: 7_002, next_tick: u64::MAX }];
    let aim = Target { slot: Some(1), at: Some(Point::new(7, -8)) };
    p.cast = Some(Cast { ability: 4, aim, until: 7_003, next: 7_004, hurt: 7_005 });
    p.used = smallvec![Used { ability: 5, times: 6, ready_at: 7_006 }];
    (p.score, p.score_before, p.eliminations, p.damage) = (8_001, 8_002, 8_003, 8_004);
    p.answers.keep(9, Ok(500));
    p.answers.keep(11, Err(crate::Refusal::Blocked));
    let mut enemy = Participant::new(5, 1, &Rules::default(), 0);
    enemy.enemy = Some(Played { kind: 2, phase: 1, think_at: 9_001 });
    fight.participants.push(enemy);
    let outcome = crate::lifecycle::Outcome { reason: crate::EndReason::ScoreLimit, winner: Some(1), team: None };
    assert!(fight.lifecycle.conclude(outcome));
    fight
}

#[test]
fn the_words_of_a_state_are_those_of_its_form() {
    let mut words = Vec::new();
    fight().write_under(&Ruleset::plain(), &mut words);
    // Which engine it is of has a place of its own.
    assert_eq!(words[..2], [u64::from(digest::FORM), u64::from(crate::replay::REVISION)]);
    let advice = "raise digest::FORM (combat/src/digest.rs) and replay::REVISION (combat/src/replay/mod.rs)";
    crate::golden::expect("state.form", &words[2..], advice);
}

/// What a checkpoint of the journal has of a fight.
#[test]
fn the_bytes_of_a_fight_are_those_of_the_journals_form() {
    let bytes = postcard::to_stdvec(&fight()).unwrap();
    assert_eq!(postcard::from_bytes::<Fight>(&bytes).unwrap(), fight());
    let advice = "raise the number of the journal's form (MAGIC in src/log/segment.rs), and go on reading what was";
    crate::golden::expect("fight.form", &crate::golden::words(&bytes), advice);
}

#[test]
fn a_digest_is_of_one_form_and_one_revision() {
    let digest_after = |word: usize| {
        let mut words = Vec::new();
        fight().write_under(&Ruleset::plain(), &mut words);
        words[word] += 1;
        digest::digest(|to| words.iter().for_each(|&word| digest::Words::word(to, word)))
    };
    let own = fight().state_digest(&Ruleset::plain());
    assert!(digest_after(0) != own && digest_after(1) != own);
}

#[test]
fn a_setting_that_nobody_sets_changes_no_digest() {
    let mut words = Vec::new();
    Rules::default().write(&mut words);
    assert_eq!(words, [0]);
    words.clear();
    Rules { health: 101, armor: 7, ..Rules::default() }.write(&mut words);
    let text = |text: &[u8; 8]| u64::from_le_bytes(*text);
    assert_eq!(words, [2, 5, text(b"armor\0\0\0"), 7, 6, text(b"health\0\0"), 101], "by name");
}

/// What decides how a fight goes on is in its digest: here what no step shows.
#[test]
fn every_part_of_a_state_is_in_its_digest() {
    let own = fight().state_digest(&Ruleset::plain());
    let changes: [fn(&mut Fight); 10] = [
        |f| f.gathered = !f.gathered,
        |f| {
            let _drawn = crate::chance::below(&mut f.rng, 2);
        },
        |f| f.participants[0].answers.keep(12, Ok(501)),
        |f| f.participants[0].conduct.acted_at += 1,
        |f| f.participants[1].deeds += 1,
        |f| f.participants[2].enemy = None,
        |f| f.participants[1].motion = Motion::new(1, Velocity::ZERO),
        |f| f.waves.due += 1,
        |f| f.clock.stopped += 1,
        |f| f.rules.regular_ms += 1,
    ];
    for (which, change) in changes.into_iter().enumerate() {
        let mut other = fight();
        change(&mut other);
        assert_ne!(other.state_digest(&Ruleset::plain()), own, "{which}");
    }
    let mut same = fight();
    (same.clock.host, same.due) = (9, 9);
    assert_eq!(same.state_digest(&Ruleset::plain()), own, "what is found out from the rest is not");
}
