//! The course of a fight, and attack and defend, as scripts.

mod hosted;
mod scripts;
mod watched;

use std::fmt::Write as _;

use scripts::check;

// From the first connection to the result.

#[test]
fn a_duel_goes_to_elimination_and_victory() {
    check(
        "seats 2
         at 0     p0 connects  -> ok, in step 1, shows p0 connected
         at 0     p1 connects  -> ok, in step 2, status initializing, phase preparation, due 10000
         at 10    p0 ready     -> ok, phase preparation, shows p0 ready
         at 20    p1 ready     -> ok, phase active, status active, due 900020, shows p1 ready + phase
         at 100   p0 attack p1 -> ok, p1 hp 75, shows p0 hits p1 25
         at 150   p1 attack p0 -> ok, p0 hp 75
         at 200   p0 attack p1 -> ok, p1 hp 50
         at 300   p0 attack p1 -> ok, p1 hp 25, end open
         at 1020  p0 attack p1 -> ok, p1 hp 0, p1 eliminated, p0 score 100, shows p0 hits p1 25 + p0 eliminates p1 + phase
         at 1020  -> phase cooldown, status active, winner p0, end last standing, fought 1000, due 11020
         at 1100  p0 attack p1 -> wrong phase
         at 11019 -> phase cooldown
         at 11020 -> phase finished, status completed, winner p0, due never, fought 1000, first p0 p1",
    );
}

#[test]
fn four_fight_until_one_stands() {
    check(
        "rules health=50
         seats 4
         at 10000 -> phase active
         at 10000 p0 attack p1 -> ok, p1 hp 25
         at 10000 p2 attack p3 -> ok, p3 hp 25
         at 10100 p0 attack p1 -> ok, p1 eliminated, phase active
         at 10100 p1 attack p0 -> eliminated, p0 hp 50
         at 10100 p3 attack p1 -> invalid target
         at 10150 p3 attack p2 -> ok, p2 hp 25
         at 10200 p2 attack p3 -> ok, p3 eliminated, p2 score 100, phase active, end open
         at 10300 p0 attack p2 -> ok, p2 hp 0, p0 score 200, phase cooldown, winner p0, end last standing
         at 20300 -> status completed, first p0 p2 p3 p1",
    );
}

#[test]
fn damage_shrinks_with_armor_and_never_takes_more_than_there_is() {
    check(
        "rules armor=50
         seats 2
         at 10000 p0 attack p1 -> ok, p1 hp 83, shows phase + p0 hits p1 17",
    );
    check(
        "rules attack_damage_max=1000 attack_damage_min=1000 critical_percent=100
         seats 2
         at 10000 p0 attack p1 -> ok, p1 hp 0, shows phase + p0 hits p1 1500 critical + p0 eliminates p1 + phase",
    );
}

// Actions.

#[test]
fn a_guard_halves_the_damage_until_it_is_over() {
    check(
        "seats 2
         at 10000 p1 defend    -> ok, p1 guard 11500, p1 stamina 80, shows phase + p1 guards
         at 10000 p0 attack p1 -> ok, p1 hp 87, shows p0 hits p1 13 guarded
         at 11499 p0 attack p1 -> ok, p1 hp 74
         at 11599 p0 attack p1 -> ok, p1 hp 49, shows p0 hits p1 25
         at 11700 p1 attack p0 -> ok, p0 hp 75",
    );
    check(
        "seats 2
         at 10000 p1 defend    -> ok
         at 11500 p0 attack p1 -> ok, p1 hp 75
         at 12999 p1 defend    -> cooldown until 13000, p1 guard 11500
         at 13000 p1 defend    -> ok, p1 guard 14500
         at 13000 p0 attack p1 -> ok, p1 hp 62",
    );
}

#[test]
fn a_guard_costs_stamina_that_grows_again() {
    check(
        "rules defend_cooldown_ms=0 defend_cost=40
         seats 2
         at 10000 p0 defend -> ok, p0 stamina 60
         at 10000 p0 defend -> ok, p0 stamina 20
         at 10000 p0 defend -> stamina until 12000, p0 stamina 20
         at 11999 p0 defend -> stamina until 12000
         at 12000 p0 defend -> ok, p0 stamina 0
         // Ten a second up to a hundred, not more.
         at 72000 p0 defend -> ok, p0 stamina 60
         at 72000 p1 defend -> ok, p1 stamina 60",
    );
    check(
        "rules stamina=30 defend_cost=31
         seats 2
         at 10000 p0 defend -> stamina never, p0 guard 0",
    );
    check(
        "rules stamina=30 defend_cost=30 stamina_per_second=0 defend_cooldown_ms=0
         seats 2
         at 10000 p0 defend -> ok, p0 stamina 0
         at 90000 p0 defend -> stamina never",
    );
}

#[test]
fn attacks_keep_their_distance() {
    check(
        "seats 3
         at 10000 p0 attack p1 -> ok, p1 hp 75
         at 10000 p0 attack p2 -> cooldown until 10100, p2 hp 100
         at 10099 p0 attack p1 -> cooldown until 10100, p1 hp 75
         at 10099 p1 attack p0 -> ok, p0 hp 75
         at 10100 p0 attack p1 -> ok, p1 hp 50",
    );
    check(
        "rules attack_interval_ms=0
         seats 2
         at 10000 p0 attack p1 -> ok
         at 10000 p0 attack p1 -> ok, p1 hp 50",
    );
}

#[test]
fn a_wrong_action_costs_nothing() {
    check(
        "rules health=25
         seats 3
         at 10000 p0 attack    -> needs target
         at 10000 p0 attack p0 -> invalid target
         at 10000 p0 attack p3 -> no such target
         at 10000 p0 dance     -> unavailable
         at 10000 p3 attack p0 -> no seat
         at 10000 p0 attack p1 -> ok, p1 eliminated
         at 10100 p0 attack p1 -> invalid target
         at 10100 p1 attack p0 -> eliminated
         at 10100 p1 defend    -> eliminated
         at 10100 p1 ready     -> wrong phase
         // None of them cost p0 its attack.
         at 10100 p0 attack p2 -> ok, p2 eliminated, winner p0, refused 8",
    );
}

#[test]
fn actions_are_for_the_active_phase() {
    check(
        "seats 2
         at 0     p0 attack p1 -> wrong phase, p1 hp 100
         at 0     p0 defend    -> wrong phase, p0 stamina 100
         at 0     pause        -> ok, status paused, phase preparation
         at 0     p0 attack p1 -> paused
         at 0     resume       -> ok, status initializing
         at 9999  p0 attack p1 -> wrong phase
         at 10000 p0 attack p1 -> ok, shows phase + p0 hits p1 25
         at 10000 pause        -> ok
         at 10000 p1 attack p0 -> paused
         at 10000 complete     -> ok, phase cooldown
         at 10000 p1 attack p0 -> wrong phase
         at 20000 p1 attack p0 -> ended, status completed",
    );
}

// Seats and the start.

#[test]
fn open_seats_are_taken_and_then_the_countdown_begins() {
    check(
        "seats 4 taken 1
         at 0   -> phase preparation, due 300000
         at 10  p0 joins -> already seated, unchanged
         at 10  p1 joins -> ok, shows p1 seated, due 300000
         at 20  p1 joins -> already seated
         at 20  p0 ready -> ok
         at 20  p0 ready -> ok, unchanged, shows nothing
         at 20  p1 ready -> ok, phase preparation
         at 20  p2 ready -> no seat
         at 20  pause    -> ok
         at 20  p2 joins -> paused
         at 20  resume   -> ok
         at 30  p2 joins -> ok
         at 50  p3 joins -> ok, phase preparation, due 10050, shows p3 seated + phase
         at 60  p4 joins -> full
         at 60  p2 joins -> already seated
         at 70  p3 ready -> ok
         at 80  p2 ready -> ok, phase active
         at 90  p4 joins -> wrong phase
         at 90  p2 ready -> wrong phase
         at 100 p3 attack p0 -> ok, p0 hp 75",
    );
}

#[test]
fn a_lobby_that_does_not_fill_is_abandoned() {
    check(
        "seats 2 taken 1
         at 0      p0 ready -> ok
         at 299999 -> phase preparation
         at 300000 -> status terminated, phase finished, end abandoned, winner nobody, due never, fought 0
         at 300000 p1 joins -> ended",
    );
}

#[test]
fn the_countdown_starts_the_fight_without_anybody_ready() {
    check(
        "seats 2
         at 9999  -> phase preparation, left 1
         at 10000 -> phase active, status active, left 900000, fought 0",
    );
    check(
        "rules preparation_ms=0
         seats 2 taken 1
         at 5 p1 joins -> ok, phase preparation, due 5
         at 5 -> phase active",
    );
}

#[test]
fn nobody_waits_for_one_who_gave_up_before_the_start() {
    check(
        "rules reconnect_ms=1000
         seats 3
         at 0    p2 connects    -> ok
         at 0    p0 ready       -> ok
         at 0    p2 disconnects -> ok, p2 disconnected
         at 500  p1 ready       -> ok, phase preparation
         at 1000 -> p2 eliminated, phase active, shows p2 forfeited + phase",
    );
    check(
        "rules reconnect_ms=1000
         seats 3
         at 0    p2 connects    -> ok
         at 0    p2 disconnects -> ok
         at 1000 -> p2 eliminated, phase preparation
         at 1000 p2 ready       -> eliminated
         at 1000 p0 ready       -> ok, phase preparation
         at 1000 p1 ready       -> ok, phase active",
    );
}

// Seats that are given up while others are free.

#[test]
fn a_seat_nobody_comes_for_is_free_again() {
    check(
        "rules arrival_ms=1000
         seats 3 taken 2
         at 0    p0 connects -> ok, due 1000
         at 999  p5 ready    -> no seat
         at 1000 -> p1 eliminated, p0 active, phase preparation, end open, shows p1 forfeited
         at 1000 p1 ready    -> eliminated
         at 2000 p7 joins    -> ok, p1 active, phase preparation
         at 2500 p8 joins    -> ok, p2 active, phase preparation, due 3000
         at 2500 p9 joins    -> full
         at 2500 p1 ready    -> ok
         at 2500 p0 ready    -> ok
         at 2600 p2 ready    -> ok, phase active",
    );
}

#[test]
fn who_gave_its_seat_up_may_take_one_again() {
    check(
        "rules arrival_ms=1000
         seats 3 taken 2
         at 0    p0 ready -> ok
         at 1000 -> p1 eliminated
         at 1500 p1 joins -> ok, p1 active
         at 1500 p1 joins -> already seated
         at 2499 -> p1 active
         at 2500 -> p1 eliminated
         at 2600 p7 joins -> ok, p1 active
         at 2600 p1 joins -> ok, p2 active",
    );
}

#[test]
fn a_seat_is_kept_for_whoever_comes_back_in_time_and_no_longer() {
    check(
        "rules reconnect_ms=1000
         seats 2 taken 1
         at 0    p0 connects    -> ok
         at 10   p0 disconnects -> ok, p0 disconnected
         at 500  p0 connects    -> ok, p0 active
         at 600  p0 disconnects -> ok, p0 disconnected
         at 1599 p0 ready       -> ok
         at 1600 -> status terminated, end abandoned, winner nobody, shows p0 forfeited + phase",
    );
    check(
        "rules reconnect_ms=1000
         seats 3 taken 2
         at 0    p0 connects    -> ok
         at 10   p0 disconnects -> ok
         at 1010 -> p0 eliminated, phase preparation, end open
         at 1010 p7 joins       -> ok, p0 active
         at 1020 p8 joins       -> ok, phase preparation
         at 1020 p0 ready       -> ok
         at 1020 p1 ready       -> ok
         at 1020 p2 ready       -> ok, phase active",
    );
}

#[test]
fn a_fight_nobody_came_to_is_abandoned() {
    check(
        "rules arrival_ms=1000
         seats 2 taken 1
         at 1000 -> status terminated, end abandoned, winner nobody
         at 1000 p1 joins -> ended",
    );
}

#[test]
fn who_never_comes_to_a_fight_that_has_all_has_lost_it() {
    check(
        "rules arrival_ms=20000
         seats 2
         at 0     p0 connects  -> ok
         at 10000 -> phase active, due 20000
         at 20000 -> p1 eliminated, winner p0, end forfeit",
    );
    // Being ready, or an action, is word from somebody who plays without a socket; what is refused changes nothing.
    check(
        "rules arrival_ms=20000
         seats 3
         at 100   p0 ready  -> ok
         at 200   p2 defend -> wrong phase
         at 10000 p1 defend -> ok
         at 20000 -> p2 eliminated, p0 active, p1 active, phase active, end open",
    );
}

#[test]
fn who_was_brought_down_before_it_came_is_waited_for_again_in_the_next_round() {
    check(
        "rules arrival_ms=15000 rounds=3 health=25 intermission_ms=1000 preparation_ms=1000 teams=2
         seats 2
         at 0     p0 connects  -> ok
         at 1000  p0 attack p1 -> ok, p1 eliminated
         at 2000  -> p1 active
         at 16999 -> p1 active, end open
         at 17000 -> p1 eliminated, end forfeit, winner p0",
    );
}

// Ends.

#[test]
fn when_time_is_up_score_decides_before_health() {
    check(
        "rules health=50 max_duration_ms=2000
         seats 3
         at 10000 p0 attack p2 -> ok
         at 10000 p1 attack p0 -> ok, p0 hp 25
         at 10100 p0 attack p2 -> ok, p2 eliminated, p0 score 100
         at 11999 -> phase active
         at 12000 p1 attack p0 -> wrong phase, phase cooldown, end time limit, winner p0, fought 2000
         at 22000 -> status completed, first p0 p1 p2",
    );
}

#[test]
fn when_time_is_up_and_scores_are_equal_health_decides() {
    check(
        "rules max_duration_ms=2000
         seats 2
         at 10000 p1 attack p0 -> ok
         at 12000 -> end time limit, winner p1, first p1 p0",
    );
}

#[test]
fn when_time_is_up_and_all_is_equal_it_is_a_draw() {
    check(
        "rules max_duration_ms=2000
         seats 2
         at 10000 p1 attack p0 -> ok
         at 10000 p0 attack p1 -> ok
         at 12000 -> phase cooldown, end time limit, winner nobody
         at 22000 -> status completed, end time limit, winner nobody",
    );
}

#[test]
fn a_late_tick_does_everything_that_was_due() {
    check(
        "rules preparation_ms=0 cooldown_ms=0
         seats 2
         at 7      -> phase active, due 900000
         at 999999 -> phase finished, status completed, end time limit, shows phase + phase",
    );
}

#[test]
fn who_does_not_come_back_forfeits() {
    check(
        "seats 2
         at 10000 p0 connects    -> ok
         at 10000 p1 connects    -> ok
         at 10000 p1 connects    -> ok, unchanged
         at 11000 p1 disconnects -> ok, p1 disconnected, due 41000, shows p1 disconnected
         at 11000 p1 disconnects -> ok, unchanged
         at 11500 p0 attack p1   -> ok, p1 hp 75
         at 40999 -> p1 disconnected, phase active
         at 41000 -> p1 eliminated, p1 hp 75, phase cooldown, end forfeit, winner p0, shows p1 forfeited + phase
         at 51000 -> status completed, first p0 p1",
    );
    check(
        "rules reconnect_ms=0
         seats 3
         at 10000 p2 connects    -> ok
         at 10000 p2 disconnects -> ok, p2 disconnected, due 10000
         at 10000 -> p2 eliminated, phase active, end open
         at 10000 p2 connects    -> ok, p2 eliminated
         at 10000 p2 attack p0   -> eliminated",
    );
}

#[test]
fn who_comes_back_in_time_goes_on() {
    check(
        "seats 2
         at 10000 p1 connects    -> ok
         at 11000 p1 disconnects -> ok, due 41000
         at 40999 p1 connects    -> ok, p1 active, due 910000
         at 41000 p1 attack p0   -> ok, p0 hp 75
         // Each time anew.
         at 42000 p1 disconnects -> ok, due 72000
         at 71999 -> p1 disconnected
         at 72000 p1 connects    -> ok, p1 eliminated, end forfeit",
    );
}

#[test]
fn who_was_never_connected_loses_no_connection() {
    check(
        "rules reconnect_ms=0
         seats 2
         at 10000 p1 disconnects -> ok, p1 active, shows phase
         at 10001 p1 attack p0   -> ok
         at 10001 p2 connects    -> no seat
         at 10001 p2 disconnects -> no seat",
    );
}

#[test]
fn the_eliminated_neither_forfeit_nor_come_back() {
    check(
        "rules health=25
         seats 3
         at 10000 p1 connects    -> ok
         at 10000 p1 disconnects -> ok, p1 disconnected, due 40000
         at 10000 p0 attack p1   -> ok, p1 eliminated, due 910000
         at 10000 p1 connects    -> ok, p1 eliminated
         at 10000 p1 disconnects -> ok, p1 eliminated, due 910000",
    );
}

#[test]
fn a_fight_that_everybody_left_is_abandoned() {
    check(
        "seats 2
         at 10000 p0 connects    -> ok
         at 10000 p1 connects    -> ok
         at 11000 p0 disconnects -> ok
         at 11000 p1 disconnects -> ok
         at 41000 -> phase cooldown, end abandoned, winner nobody, shows p0 forfeited + p1 forfeited + phase
         at 51000 -> status completed",
    );
    check(
        "seats 3 taken 2
         at 0     p0 connects    -> ok
         at 0     p1 connects    -> ok
         at 0     p0 disconnects -> ok
         at 10    p1 disconnects -> ok
         at 30000 -> p0 eliminated, phase preparation
         at 30010 -> status terminated, end abandoned, winner nobody",
    );
    // The first to be gone loses, however late the tick is.
    check(
        "seats 2
         at 10000 p0 connects    -> ok
         at 10000 p1 connects    -> ok
         at 11000 p0 disconnects -> ok
         at 11001 p1 disconnects -> ok
         at 45000 -> p0 eliminated, end forfeit, winner p1",
    );
}

#[test]
fn who_concedes_is_out_at_once_and_the_others_go_on() {
    check(
        "seats 3
         at 10000 -> phase active
         at 10000 p1 concedes  -> ok, p1 eliminated, p0 active, phase active, end open, shows p1 forfeited
         at 10000 p1 concedes  -> eliminated, unchanged
         at 10001 p1 attack p0 -> eliminated
         at 10002 p9 concedes  -> no seat, unchanged
         at 10500 p0 concedes  -> ok, p0 eliminated, phase cooldown, end forfeit, winner p2
         at 10600 p2 concedes  -> wrong phase, unchanged
         at 20500 -> status completed
         at 20500 p2 concedes  -> ended, unchanged",
    );
    check(
        "seats 2
         at 10000 pause       -> ok
         at 10100 p1 concedes -> paused, unchanged
         at 10200 resume      -> ok
         at 10200 p1 concedes -> ok, end forfeit, winner p0",
    );
    // Before the start nobody waits for it.
    check(
        "seats 3
         at 0 p0 ready    -> ok
         at 0 p1 ready    -> ok, phase preparation
         at 5 p2 concedes -> ok, p2 eliminated, phase active",
    );
    check(
        "seats 2
         at 0 p0 concedes -> ok, p0 eliminated, end forfeit, winner p1",
    );
}

#[test]
fn who_concedes_while_it_is_down_does_not_come_back_for_the_next_round() {
    check(
        "rules rounds=3 health=25 intermission_ms=1000 preparation_ms=1000
         seats 3
         at 1000 p0 attack p1 -> ok, p1 eliminated, phase active
         at 1100 p1 concedes  -> ok, p1 eliminated, phase active, end open, shows p1 forfeited
         at 1200 p0 attack p2 -> ok, p2 eliminated
         at 3200 -> p0 active, p1 eliminated, p2 active, end open
         at 3300 p2 concedes  -> ok, p2 eliminated, end forfeit, winner p0",
    );
}

#[test]
fn a_seat_that_is_given_up_while_others_are_free_is_free_as_well() {
    check(
        "seats 3 taken 2
         at 0  p1 concedes -> ok, p1 eliminated, phase preparation, end open, shows p1 forfeited
         at 10 p7 joins    -> ok, p1 active
         at 20 p1 joins    -> ok, p2 active",
    );
}

#[test]
fn a_result_is_not_touched_by_who_leaves_after_it() {
    check(
        "rules health=25 reconnect_ms=1000
         seats 3
         at 10000 p0 connects    -> ok
         at 10000 p1 connects    -> ok
         at 10000 p1 disconnects -> ok, due 11000
         at 10000 p0 attack p2   -> ok
         at 10500 complete       -> ok, winner p0, end completed, due 20500
         at 10600 p0 disconnects -> ok, p0 disconnected, due 20500
         at 15000 -> p0 disconnected, p1 disconnected, phase cooldown, first p0 p1 p2
         at 15000 p0 connects    -> ok, p0 active
         at 20500 -> status completed, winner p0, end completed, first p0 p1 p2",
    );
    check(
        "rules reconnect_ms=1000
         seats 2 taken 1
         at 0     p0 connects    -> ok
         at 0     complete       -> ok, phase cooldown, end completed
         at 0     p0 disconnects -> ok
         at 9999  -> phase cooldown
         at 10000 -> status completed, end completed",
    );
}

// Control by hand.

#[test]
fn a_pause_stops_every_clock_of_the_fight() {
    check(
        "rules max_duration_ms=5000 reconnect_ms=1000
         seats 2
         at 0      p0 connects    -> ok
         at 0      p0 ready       -> ok
         at 0      p1 ready       -> ok, phase active, due 5000
         at 100    p1 defend      -> ok, p1 guard 1600
         at 200    p0 attack p1   -> ok, p1 hp 87
         at 210    p0 disconnects -> ok, due 1210
         at 250    pause          -> ok, status paused, phase active, due never, left 4750, shows phase
         at 250    pause          -> invalid transition, unchanged
         at 90000  -> status paused, unchanged, p0 disconnected, left 4750
         at 90000  p0 attack p1   -> paused, p1 hp 87
         at 90000  p1 defend      -> paused
         at 100000 resume         -> ok, status active, phase active, left 4750, due 100960, shows phase
         at 100000 resume         -> invalid transition, unchanged
         // 99750 of the host's time do not count.
         at 100049 p0 attack p1   -> cooldown until 300
         at 100050 p0 attack p1   -> ok, shows p0 hits p1 13 guarded
         at 100959 -> p0 disconnected
         at 100959 p0 connects    -> ok, p0 active, due 101350
         at 101349 p0 attack p1   -> ok, shows p0 hits p1 13 guarded
         at 101449 p0 attack p1   -> ok, shows p0 hits p1 25
         at 102849 p1 defend      -> cooldown until 3100
         at 102850 p1 defend      -> ok
         at 104749 -> phase active
         at 104750 -> phase cooldown, end time limit, winner p0, fought 5000",
    );
}

#[test]
fn a_pause_that_is_over_ends_the_fight_without_a_winner() {
    check(
        "seats 2
         at 0     pause over -> invalid transition, unchanged
         at 0     pause      -> ok
         at 50000 pause over -> ok, status terminated, end pause limit, winner nobody, due never, shows phase
         at 50000 pause over -> ended
         at 50000 resume     -> ended",
    );
    check(
        "rules health=25
         seats 2
         at 0     p0 ready     -> ok
         at 0     p1 ready     -> ok
         at 100   p0 attack p1 -> ok, winner p0, phase cooldown
         at 200   pause        -> ok
         at 50000 pause over   -> ok, status active, phase cooldown, end last standing, winner p0, due 59900
         at 59900 -> status completed, end last standing, winner p0",
    );
}

#[test]
fn a_pause_stops_the_reconnect_window_also_of_who_leaves_in_it() {
    check(
        "rules reconnect_ms=1000
         seats 2
         at 10000 p0 connects    -> ok
         at 10000 p1 connects    -> ok
         at 10400 p0 disconnects -> ok, due 11400
         at 10500 pause          -> ok
         at 20000 p1 disconnects -> ok, p1 disconnected, due never
         at 50000 resume         -> ok, p0 disconnected, due 50900
         at 50899 -> p0 disconnected
         at 50900 -> p0 eliminated, p1 disconnected, winner p1, end forfeit",
    );
    check(
        "rules reconnect_ms=1000
         seats 2
         at 10000 p0 connects    -> ok
         at 10400 p0 disconnects -> ok
         at 10500 pause          -> ok
         at 20000 p0 connects    -> ok, p0 active
         at 50000 resume         -> ok, due 949500",
    );
}

#[test]
fn a_pause_stops_stamina_countdown_lobby_and_results() {
    check(
        "rules defend_cost=100 defend_cooldown_ms=0
         seats 2
         at 10000 p0 defend -> ok, p0 stamina 0
         at 11000 pause     -> ok
         at 60000 resume    -> ok
         at 60000 p0 defend -> stamina until 20000
         at 69000 p0 defend -> ok",
    );
    check(
        "seats 2 taken 1
         at 1000   pause    -> ok, phase preparation, status paused
         at 400000 resume   -> ok, due 699000
         at 400000 p1 joins -> ok, due 410000
         at 401000 pause    -> ok
         at 401000 p0 ready -> paused
         at 500000 -> phase preparation, left 9000
         at 500000 resume   -> ok, status initializing, due 509000
         at 509000 -> phase active
         at 509000 complete -> ok, phase cooldown
         at 510000 pause    -> ok, status paused, phase cooldown
         at 600000 -> phase cooldown, status paused
         at 600000 resume   -> ok, status active, due 609000
         at 609000 -> status completed",
    );
}

#[test]
fn an_end_by_hand_takes_the_leader_and_shows_the_result() {
    check(
        "seats 2
         at 10000 p1 attack p0 -> ok
         at 10500 complete     -> ok, phase cooldown, end completed, winner p1, fought 500, due 20500
         at 10500 complete     -> invalid transition, unchanged
         at 20500 -> status completed",
    );
    check(
        "seats 2
         at 0     complete -> ok, phase cooldown, end completed, winner nobody
         at 10000 -> status completed, fought 0",
    );
    check(
        "seats 2
         at 10000 p1 attack p0 -> ok
         at 11000 pause        -> ok
         at 90000 complete     -> ok, status active, phase cooldown, winner p1, due 100000, fought 1000
         at 99999 -> phase cooldown
         at 100000 -> status completed",
    );
}

#[test]
fn a_termination_has_no_winner() {
    check(
        "seats 2
         at 10    terminate -> ok, phase cooldown, end terminated, winner nobody
         at 10009 -> phase cooldown
         at 10010 -> status terminated, phase finished",
    );
    check(
        "seats 2
         at 10000 p1 attack p0 -> ok
         at 10500 terminate    -> ok, status active, phase cooldown, end terminated, winner nobody, fought 500
         at 20500 -> status terminated, end terminated, winner nobody",
    );
    check(
        "seats 2
         at 10000 p1 attack p0 -> ok
         at 11000 pause        -> ok
         at 90000 terminate    -> ok, phase cooldown, due 100000
         at 100000 -> status terminated",
    );
}

#[test]
fn a_termination_in_the_results_phase_keeps_the_result() {
    check(
        "rules health=25
         seats 2
         at 10000 p0 attack p1 -> ok, phase cooldown
         at 10001 terminate    -> ok, status terminated, phase finished, end last standing, winner p0",
    );
    check(
        "rules health=25
         seats 2
         at 10000 p0 attack p1 -> ok, phase cooldown
         at 10001 pause        -> ok
         at 10001 complete     -> invalid transition, unchanged
         at 20000 terminate    -> ok, status terminated, end last standing, winner p0",
    );
}

#[test]
fn a_termination_by_force_ends_it_at_once() {
    for way_in in [
        "at 10 p0 connects -> ok, phase preparation",
        "at 10 pause -> ok, phase preparation, status paused",
        "at 10000 p1 attack p0 -> ok, phase active",
        "at 10000 p1 attack p0 -> ok \n at 10000 pause -> ok, phase active, status paused",
        "at 10 terminate -> ok, phase cooldown",
    ] {
        check(&format!(
            "seats 2
             {way_in}
             at 10001 terminate by force -> ok, status terminated, phase finished, end terminated, winner nobody, due never"
        ));
    }
    check(
        "seats 2
         at 10000 complete           -> ok, phase cooldown
         at 10001 terminate by force -> ok, status terminated, end completed",
    );
}

#[test]
fn what_has_ended_takes_nothing() {
    for end in [
        "at 20000 terminate by force -> ok, status terminated",
        "at 10000 complete -> ok \n at 20000 -> status completed",
        "at 10000 terminate -> ok \n at 20000 -> status terminated",
    ] {
        check(&format!(
            "seats 3 taken 2
             at 0     p0 connects    -> ok
             at 0     p1 connects    -> ok
             at 0     p2 joins       -> ok
             at 9000  p1 disconnects -> ok, p1 disconnected
             {end}
             at 20000 p0 ready           -> ended, unchanged
             at 20000 p3 joins           -> ended, unchanged
             at 20000 pause              -> ended, unchanged
             at 20000 resume             -> ended, unchanged
             at 20000 complete           -> ended, unchanged
             at 20000 terminate          -> ended, unchanged
             at 20000 terminate by force -> ended, unchanged
             at 20000                    -> unchanged
             at 20000 p0 attack p1       -> ended, p1 hp 100
             at 20000 p0 defend          -> ended, p0 guard 0
             // Connections come and go, which nobody is shown.
             at 20000 p1 connects        -> ok, shows nothing, p1 disconnected
             at 20000 p0 disconnects     -> ok, shows nothing, p0 active
             at 99999                    -> due never, p0 active, p1 disconnected, p2 active"
        ));
    }
}

// Action ids.

#[test]
fn a_repeated_id_gets_its_first_answer_and_changes_nothing() {
    check(
        "seats 2
         at 10000 p0 attack p1 id 5 -> ok, in step 1, p1 hp 75
         at 10000 p0 attack p1 id 5 -> ok, in step 1, unchanged
         at 10300 p0 attack p1 id 6 -> ok, in step 2, p1 hp 50
         at 10300 p0 attack p1 id 5 -> ok, in step 1, unchanged
         // Whatever it asks for now.
         at 10300 p0 defend id 5    -> ok, in step 1, unchanged, p0 guard 0
         at 10300 p0 attack p0 id 8 -> invalid target, refused 1
         at 10300 p0 attack p1 id 8 -> invalid target, unchanged
         at 10300 p0 attack p1 id 9 -> cooldown until 10400
         at 10399 p0 attack p1 id 9 -> cooldown until 10400, p1 hp 50
         at 10400 p0 dance id 10    -> unavailable
         // What was refused for want of time is a new action when it comes again, also after a higher one.
         at 10400 p0 attack p1 id 9 -> ok, p1 hp 25
         at 10400 p0 attack p1 id 9 -> ok, unchanged
         // Everybody counts for themselves.
         at 10400 p1 attack p0 id 5 -> ok, p0 hp 75
         at 10400 p1 attack p0 id 5 -> ok, unchanged
         at 10500 pause             -> ok
         at 10500 p0 attack p1 id 5 -> ok, in step 1, unchanged
         at 10500 resume            -> ok
         at 10500 p0 attack p1 id 11 -> ok, p1 eliminated, phase cooldown
         at 10500 p1 attack p0 id 5 -> ok, unchanged
         at 20500 -> status completed
         at 20500 p0 attack p1 id 11 -> ok, unchanged
         at 20500 p0 attack p1 id 12 -> ended
         at 20500 p0 attack p1 id 12 -> ended, unchanged",
    );
}

#[test]
fn a_repeat_that_comes_late_still_lets_what_is_due_happen() {
    check(
        "seats 2
         at 10000  p0 attack p1 id 1 -> ok, in step 1
         at 910000 p0 attack p1 id 1 -> ok, in step 1, phase cooldown, p1 hp 75, shows phase",
    );
}

#[test]
fn an_id_that_was_passed_over_is_new_and_a_forgotten_one_stale() {
    check(
        "rules actions_per_second=0
         seats 2
         at 10000 p0 attack p1 id 5  -> ok, p1 hp 75
         at 11000 p0 dance id 4      -> unavailable, refused 1
         at 11000 p0 attack p1 id 4  -> unavailable, unchanged
         at 11000 p0 attack p1 id 5  -> ok, unchanged",
    );
    let mut script = "rules actions_per_second=0\nseats 2\nat 10000 p0 attack p1 id 7 -> ok\n".to_owned();
    // By any step.
    let ids: Vec<u64> = (0..64).map(|n| 10 + n * n * 1_000).collect();
    for (at, id) in ids.iter().enumerate() {
        let first = if at < 63 { "ok" } else { "stale id" };
        let lines =
            format!("at 11000 p0 dance id {id} -> unavailable\nat 11000 p0 attack p1 id 7 -> {first}, unchanged");
        writeln!(script, "{lines}").expect("a string takes all");
    }
    for id in ids {
        writeln!(script, "at 12000 p0 attack p1 id {id} -> unavailable, unchanged").expect("a string takes all");
    }
    check(&script);
}

#[test]
fn an_action_without_an_id_is_not_remembered() {
    check(
        "seats 2
         at 10000 p0 attack p1 id 0 -> ok, p1 hp 75
         at 10000 p0 attack p1 id 0 -> cooldown until 10100
         at 10100 p0 attack p1 id 0 -> ok, p1 hp 50
         at 10200 p0 attack p1      -> ok, p1 hp 25
         at 10200 p0 attack p1 id 1 -> cooldown until 10300
         at 10300 p0 attack p1 id 0 -> ok, p1 eliminated",
    );
}
