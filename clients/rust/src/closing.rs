//! What a client does after a connection has ended: whether it comes back, and when.

use std::time::Duration;

use tiltyard_protocol::Reason;

/// Ended without a code, or with none that the network let through.
pub(crate) const LOST: u16 = 1006;
/// The client ended it.
pub(crate) const DONE: u16 = 1000;
pub(crate) const UNAUTHORIZED: u16 = 4401;
pub(crate) const NOT_LET_IN: u16 = 4403;
pub(crate) const NO_SESSION: u16 = 4404;
pub(crate) const REPLACED: u16 = 4409;
pub(crate) const ENDED: u16 = 4410;
pub(crate) const FLOODED: u16 = 4429;

/// Why a session is closed: a code of the connection, or the one that says the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    pub code: u16,
}

impl Closing {
    /// Why, for a person.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self.code {
            DONE => "the client closed the connection",
            1001 => "the server went away",
            1002 => "the server does not speak this client's protocol",
            1003 => "the server does not speak this client's encoding",
            1005 => "the connection ended without a reason",
            LOST => "the connection was lost",
            1007 => "the server could not read what this client sent",
            1009 => "this client sent a message that was too big",
            1011 => "the server failed",
            1012 => "the server restarts",
            1013 => "the server has too much to do",
            4400 => "the server understood too little of what this client sent",
            UNAUTHORIZED => "the credentials are not valid any more",
            NOT_LET_IN => "the player may not take part in this session",
            NO_SESSION => "there is no such session",
            4408 => "the server heard nothing for too long",
            REPLACED => "the player joined from a newer connection",
            ENDED => "the session has ended",
            4413 => "this client read too slowly",
            4419 => "the token has expired",
            FLOODED => "this client sent too many messages",
            _ => "the connection was closed with a code that is not known here",
        }
    }
}

/// Delays before the first try, and at most, in milliseconds; `spread` is the share in percent that is left to chance.
struct Patience {
    first: u64,
    most: u64,
    spread: u32,
}

const SOON: Patience = Patience { first: 300, most: 8_000, spread: 50 };
/// Many are sent away at once, who must not all come back at once.
const SPREAD: Patience = Patience { first: 2_000, most: 15_000, spread: 90 };
const AT_ONCE: Patience = Patience { first: 0, most: 8_000, spread: 50 };
/// The server takes no connection for at least 5 s.
const LATER: Patience = Patience { first: 7_200, most: 400_000, spread: 25 };

const fn patience(code: u16) -> Option<Patience> {
    Some(match code {
        1001 | 1005 | LOST | 4408 => SOON,
        1011 | 1012 | 1013 | 4413 => SPREAD,
        4419 => AT_ONCE,
        FLOODED => LATER,
        _ => return None,
    })
}

/// Whether to come back after a connection was closed with `code`.
pub(crate) const fn comes_back(code: u16) -> bool {
    patience(code).is_some()
}

/// How long to wait before try number `attempt`, counted from 0; `dice` is between 0 and 1.
pub(crate) fn delay(code: u16, attempt: u32, dice: f64) -> Duration {
    let Patience { first, most, spread } = patience(code).unwrap_or(SOON);
    let doubled = |first: u64, times: u32| first.saturating_mul(1_u64.checked_shl(times).unwrap_or(u64::MAX));
    let step = match (first, attempt) {
        (0, 1..) => doubled(SOON.first, attempt - 1),
        _ => doubled(first, attempt),
    };
    let spread = f64::from(spread) / 100.0;
    Duration::from_millis(step.min(most)).mul_f64(1.0 - spread + spread * dice)
}

/// The code that says the same as this answer to a `join`, where another try would be answered alike.
pub(crate) const fn of_join(reason: Reason) -> Option<u16> {
    Some(match reason {
        Reason::Unauthorized => UNAUTHORIZED,
        Reason::Forbidden | Reason::NotAParticipant | Reason::SessionElsewhere | Reason::TooManySessions => NOT_LET_IN,
        Reason::NoSession => NO_SESSION,
        Reason::SessionEnded => ENDED,
        _ => return None,
    })
}

/// Likewise of an answer to the request for a ticket, by its status.
pub(crate) const fn of_ticket(status: u16) -> Option<u16> {
    Some(match status {
        400 | 403 => NOT_LET_IN,
        401 => UNAUTHORIZED,
        404 => NO_SESSION,
        409 | 410 => ENDED,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{FLOODED, LOST, comes_back, delay};
    use tiltyard_protocol::CloseCode;

    #[test]
    fn delays_grow_are_random_and_stay_within_their_bounds() {
        let ms = |code, attempt, dice| delay(code, attempt, dice).as_millis();
        assert_eq!((ms(LOST, 0, 0.0), ms(LOST, 0, 1.0)), (150, 300));
        assert_eq!((ms(LOST, 3, 1.0), ms(LOST, 5, 1.0), ms(LOST, 900, 1.0)), (2_400, 8_000, 8_000));
        assert_eq!((ms(1012, 0, 0.0), ms(1012, 0, 1.0), ms(1012, 9, 1.0)), (200, 2_000, 15_000));
        assert_eq!((ms(4419, 0, 1.0), ms(4419, 1, 1.0), ms(4419, 2, 1.0)), (0, 300, 600));
        assert_eq!((ms(FLOODED, 0, 0.0), ms(FLOODED, 9, 1.0)), (5_400, 400_000));
    }

    #[test]
    fn comes_back_after_what_the_protocol_says() {
        for code in CloseCode::ALL {
            // With new credentials in place of the same.
            let again = CloseCode::reconnect(code.code()) || code == CloseCode::TokenExpired;
            assert_eq!(comes_back(code.code()), again, "{code:?}");
        }
    }
}
