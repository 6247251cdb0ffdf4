//! The world around the participants: fair play.

mod scripts;
mod watched;

use scripts::check;

#[test]
fn who_attacks_too_soon_again_and_again_is_flagged() {
    check(
        "rules preparation_ms=0
         seats 2
         at 0 -> phase active
         at 0 p0 attack p1 -> ok
         at 10 p0 attack p1 -> cooldown until 100, flags nobody
         at 20 p0 attack p1 -> cooldown until 100, flags nobody
         at 30 p0 attack p1 -> cooldown until 100, flags p0 interval
         at 40 p0 attack p1 -> cooldown until 100, flags nobody
         // Whoever got one through begins anew; a flag is quiet for ten seconds.
         at 9900 p0 attack p1 -> ok
         at 10028 p0 attack p1 -> ok
         at 10029 p0 attack p1 -> cooldown until 10128, flags nobody
         at 10029 p0 attack p1 -> cooldown until 10128, flags nobody
         at 10029 p0 attack p1 -> cooldown until 10128, flags nobody
         at 10030 p0 attack p1 -> cooldown until 10128, flags p0 interval",
    );
}

#[test]
fn who_does_nothing_is_flagged_as_away_once() {
    check(
        "rules preparation_ms=20000 afk_ms=45000
         seats 2
         at 20000 -> phase active
         at 30000 p0 attack p1 -> ok
         // The first was never there: that counts from the start of the fight.
         at 64999 -> flags nobody
         at 65000 -> flags p1 away, shows nothing
         at 74999 -> flags nobody
         at 75000 -> flags p0 away
         at 90000 p0 attack p1 -> ok
         at 134999 -> flags nobody
         at 135000 -> flags p0 away
         at 200000 -> flags nobody",
    );
}

#[test]
fn a_pause_is_no_absence_and_neither_is_waiting_for_ones_turn() {
    check(
        "rules preparation_ms=0 afk_ms=45000
         seats 2
         at 0 -> phase active
         at 40000 pause -> ok
         at 140000 resume -> ok
         at 144999 -> flags nobody
         at 145000 -> flags p0 away + p1 away",
    );
    check(
        "rules preparation_ms=0 afk_ms=10000 turn_ms=20000
         seats 2
         at 0 -> phase active
         at 100000 -> flags nobody",
    );
}

#[test]
fn who_acts_like_clockwork_is_flagged() {
    let script = |last: u32| {
        let begin = "rules preparation_ms=0 health=100000 regular_ms=8\nseats 2\nat 0 -> phase active\n".to_owned();
        let line = |time| format!("at {} p0 attack p1 -> ok, flags nobody\n", 1_000 + time * 120);
        let lines = begin + &(0..32_u32).map(line).collect::<String>();
        let flags = if last < 1_000 + 32 * 120 + 40 { "p0 regular" } else { "nobody" };
        lines + &format!("at {last} p0 attack p1 -> ok, flags {flags}")
    };
    check(&script(1_000 + 32 * 120));
    check(&script(1_000 + 32 * 120 + 60));
}
