//! How much one caller may ask: by principal where the token was good, else by address. [`count`] is asked once for a
//! request, where its credentials are checked; [`show`] is the layer that writes what came of it into the answer's head.
//!
//! `X-RateLimit-Limit` is how many requests may come at once, `X-RateLimit-Remaining` how many may now,
//! `X-RateLimit-Reset` in how many seconds it is all of them again. A refused one (429) says in `Retry-After` when the next
//! is taken. Requests that need no token and cost next to nothing - health, pages - are not counted, and have no such head.

mod address;
mod charge;
mod keys;
mod quota;

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap};
use governor::RateLimiter;
use governor::clock::{Clock, DefaultClock};
use serde_json::json;
use tiltyard_protocol::Reason;
use uuid::Uuid;

pub use address::Peer;
pub use charge::{Charge, HEADERS};
pub use quota::Rate;

use super::App;
use super::AppState;
use super::error::ApiError;
use crate::auth::{Principal, Role};
use crate::config::{Config, Switch};
use crate::limits;
use charge::{Limiter, seconds};
use keys::Keys;

/// The limits of one server.
#[derive(Debug)]
pub struct RateLimits<C: Clock = DefaultClock> {
    /// Nothing where limits are off.
    limiters: Option<Limiters<C>>,
    /// Proxies of ours, whose word about whom they heard is taken.
    trusted: Vec<IpAddr>,
}

#[derive(Debug)]
struct Limiters<C: Clock> {
    players: Limiter<Uuid, C>,
    services: Limiter<String, C>,
    admins: Limiter<String, C>,
    addresses: Limiter<IpAddr, C>,
}

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Player,
    Service,
    Admin,
    Address,
}

/// A caller who needs no token: the address is counted.
#[derive(Debug, Clone, Copy)]
pub struct Anybody;

/// Where [`count`] leaves the charge for the answer's head; in the request's extensions.
#[derive(Debug, Clone, Default)]
pub struct Slip(Arc<OnceLock<Charge>>);

impl RateLimits {
    /// What the configuration says.
    pub fn new(config: &Config) -> Self {
        Self::with_clock(config, &DefaultClock::default())
    }
}

impl<C: Clock + Clone> RateLimits<C> {
    fn with_clock(config: &Config, clock: &C) -> Self {
        let limiters = (config.rate_limits == Switch::On).then(|| Limiters {
            players: limiter(config.rate_player, clock),
            services: limiter(config.rate_service, clock),
            admins: limiter(config.rate_service, clock),
            addresses: limiter(config.rate_address, clock),
        });
        Self { limiters, trusted: config.trusted_proxies.iter().map(IpAddr::to_canonical).collect() }
    }

    /// Forgets whoever is at their full quota again; every few seconds, or the maps fill up.
    pub fn forget(&self) {
        if let Some(Limiters { players, services, admins, addresses }) = &self.limiters {
            players.retain_recent();
            services.retain_recent();
            admins.retain_recent();
            addresses.retain_recent();
        }
    }

    /// Counts one request: for its caller, else for its address; nothing where limits are off.
    pub fn charge(&self, caller: Option<&Principal>, address: impl FnOnce() -> IpAddr) -> Option<(Kind, Charge)> {
        let limiters = self.limiters.as_ref()?;
        Some(match caller.map(|caller| &caller.role) {
            Some(Role::Player(player)) => (Kind::Player, Charge::of(&limiters.players, player)),
            Some(Role::Service(name)) => (Kind::Service, Charge::of(&limiters.services, name)),
            Some(Role::Admin(name)) => (Kind::Admin, Charge::of(&limiters.admins, name)),
            None => (Kind::Address, Charge::of(&limiters.addresses, &address::counted(address()))),
        })
    }
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Player, Self::Service, Self::Admin, Self::Address];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Player => "player",
            Self::Service => "service",
            Self::Admin => "admin",
            Self::Address => "address",
        }
    }
}

/// Counts a request: for its caller, or for the address it came from where the credentials were none or not good. Once for
/// each request, after its credentials were checked.
pub fn count(
    app: &AppState,
    headers: &HeaderMap,
    extensions: &Extensions,
    caller: Option<&Principal>,
) -> Result<(), ApiError> {
    let peer = || extensions.get::<Peer>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0);
    let sender = || address::sender(peer(), headers, &app.rates.trusted);
    let Some((kind, charge)) = app.rates.charge(caller, sender) else { return Ok(()) };
    if let Some(slip) = extensions.get::<Slip>() {
        // A second one would be a mistake of ours; the first stands.
        let _ = slip.0.set(charge);
    }
    match charge.wait {
        None => Ok(()),
        Some(wait) => {
            app.metrics.limited(kind);
            let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).saturating_add(1);
            Err(ApiError::new(Reason::TooManyRequests)
                .header(header::RETRY_AFTER, seconds(wait).max(1).into())
                .with("retry_ms", json!(retry_ms)))
        }
    }
}

impl Slip {
    /// Says in the answer's head what is left of the caller's quota, where the request was counted.
    pub fn show(&self, headers: &mut HeaderMap) {
        if let Some(charge) = self.0.get() {
            charge.write(headers);
        }
    }
}

impl FromRequestParts<App> for Anybody {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        count(app, &parts.headers, &parts.extensions, None).map(|()| Self)
    }
}

fn limiter<K: Hash + Eq + Clone, C: Clock + Clone>(rate: Rate, clock: &C) -> Limiter<K, C> {
    RateLimiter::new(rate.quota(), Keys::new(limits::RATE_KEYS), clock.clone())
}

#[cfg(test)]
mod tests {
    use super::{Charge, Kind, RateLimits};
    use crate::auth::{Principal, Role};
    use crate::cli::Flags;
    use crate::config::{Config, Switch};
    use crate::limits::RATE_KEYS;
    use governor::clock::FakeRelativeClock;
    use std::collections::HashMap;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    use std::time::Duration;
    use uuid::Uuid;

    fn limits() -> (RateLimits<FakeRelativeClock>, FakeRelativeClock) {
        let flags = Flags {
            rate_player: Some("2/s,4".parse().unwrap()),
            rate_address: Some("1/s,2".parse().unwrap()),
            ..Flags::default()
        };
        let clock = FakeRelativeClock::default();
        (RateLimits::with_clock(&Config::load(&flags, HashMap::new()).unwrap(), &clock), clock)
    }

    fn caller(role: Role) -> Principal {
        Principal { role, scopes: vec![], guest: false, sid: None }
    }

    fn by(limits: &RateLimits<FakeRelativeClock>, caller: &Principal) -> Charge {
        limits.charge(Some(caller), || unreachable!("the token was good")).unwrap().1
    }

    fn from(limits: &RateLimits<FakeRelativeClock>, address: impl Into<IpAddr>) -> Charge {
        limits.charge(None, || address.into()).unwrap().1
    }

    #[test]
    fn a_burst_then_a_pace() {
        let (limits, clock) = limits();
        let ann = caller(Role::Player(Uuid::now_v7()));
        for left in [3, 2, 1, 0] {
            let reset = Duration::from_millis(500) * (4 - left);
            assert_eq!(by(&limits, &ann), Charge { limit: 4, remaining: left, reset, wait: None });
        }
        let wait = Some(Duration::from_millis(500));
        let refused = Charge { limit: 4, remaining: 0, reset: Duration::from_secs(2), wait };
        assert_eq!((by(&limits, &ann), by(&limits, &ann)), (refused, refused), "being refused costs nothing");
        assert_eq!(by(&limits, &caller(Role::Player(Uuid::now_v7()))).remaining, 3, "another one");
        clock.advance(Duration::from_millis(500));
        assert_eq!(by(&limits, &ann).wait, None);
        assert_eq!(by(&limits, &ann).wait, wait);
    }

    #[test]
    fn kinds_do_not_mix() {
        let (limits, _) = limits();
        let kind =
            |role| limits.charge(Some(&caller(role)), || unreachable!()).map(|(kind, charge)| (kind, charge.remaining));
        let left = 40_000 - 1;
        assert_eq!(kind(Role::Service("x".into())), Some((Kind::Service, left)));
        assert_eq!(kind(Role::Admin("x".into())), Some((Kind::Admin, left)));
        assert_eq!(from(&limits, Ipv4Addr::LOCALHOST).remaining, 1);
        assert_eq!(from(&limits, Ipv4Addr::LOCALHOST).remaining, 0);
        assert!(from(&limits, Ipv4Addr::LOCALHOST).wait.is_some());
        let one = |low: u128| from(&limits, Ipv6Addr::from_bits((0x2001_0db8 << 96) + low)).remaining;
        assert_eq!((one(1), one(2), one(1 << 64)), (1, 0, 1), "a network of IPv6 is one");
    }

    #[test]
    fn off_is_off() {
        let flags = Flags { rate_limits: Some(Switch::Off), ..Flags::default() };
        let limits = RateLimits::new(&Config::load(&flags, HashMap::new()).unwrap());
        assert_eq!(limits.charge(None, || Ipv4Addr::LOCALHOST.into()), None);
        limits.forget();
    }

    #[test]
    fn when_all_is_taken_newcomers_share_until_somebody_is_forgotten() {
        let (limits, clock) = limits();
        let known = Ipv4Addr::from_bits(7);
        for address in 0..u32::try_from(RATE_KEYS).unwrap() {
            assert_eq!(from(&limits, Ipv4Addr::from_bits(address)).wait, None);
        }
        let newcomer = |last| from(&limits, Ipv4Addr::new(192, 0, 2, last));
        assert_eq!((newcomer(1).wait, newcomer(2).wait), (None, None));
        assert!(newcomer(3).wait.is_some(), "three are one too many for the quota of one");
        assert_eq!(from(&limits, known).remaining, 0, "who was known is not concerned");
        limits.forget();
        assert!(newcomer(4).wait.is_some(), "nobody has their full quota yet");
        clock.advance(Duration::from_secs(3));
        limits.forget();
        assert_eq!((newcomer(5).remaining, newcomer(6).remaining), (1, 1));
    }
}
