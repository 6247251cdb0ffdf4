//! How much one caller may ask: by principal where the token was good, else by address. [`count`] is asked once for a
//! request, where its credentials are checked; [`show`] is the layer that writes what came of it into the answer's head.
//!
//! `X-RateLimit-Limit` is how many requests may come at once, `X-RateLimit-Remaining` how many may now,
//! `X-RateLimit-Reset` in how many seconds it is all of them again. A refused one (429) says in `Retry-After` when the next
//! is taken. Pages, which need no token, are counted by address, apart from what else comes from there and by what they weigh:
//! [`count_page`]. Health costs next to nothing, is not counted and has no such head.

mod address;
mod charge;
mod keys;

use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
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

pub use address::{Peer, counted};
pub use charge::{Charge, HEADERS};

use super::error::ApiError;
use super::{App, AppState};
use crate::auth::{Principal, Role};
use crate::config::{Config, Rate, Switch};
use crate::limits;
use crate::metrics::Caller;
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
    pages: Limiter<IpAddr, C>,
}

/// A caller who needs no token: the address is counted.
#[derive(Debug, Clone, Copy)]
pub struct Anybody;

/// The address a request comes from, as addresses are counted.
#[derive(Debug, Clone, Copy)]
pub struct Sender(pub IpAddr);

/// Marks a request that was counted before it came to its operation.
#[derive(Debug, Clone, Copy)]
pub struct Counted;

/// Where [`count`] leaves the charge for the answer's head; in the request's extensions.
#[derive(Debug, Clone, Default)]
pub struct SharedCharge(Arc<OnceLock<Charge>>);

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
            pages: limiter(config.rate_page, clock),
        });
        Self { limiters, trusted: config.trusted_proxies.iter().map(IpAddr::to_canonical).collect() }
    }

    /// Forgets whoever is at their full quota again; every few seconds, or the maps fill up.
    pub fn forget(&self) {
        if let Some(Limiters { players, services, admins, addresses, pages }) = &self.limiters {
            players.retain_recent();
            services.retain_recent();
            admins.retain_recent();
            addresses.retain_recent();
            pages.retain_recent();
        }
    }

    /// Counts one request: for its caller, else for its address; nothing where limits are off.
    pub fn charge(&self, caller: Option<&Principal>, address: impl FnOnce() -> IpAddr) -> Option<(Caller, Charge)> {
        let limiters = self.limiters.as_ref()?;
        Some(match caller.map(|caller| &caller.role) {
            Some(Role::Player(player)) => (Caller::Player, Charge::of(&limiters.players, player)),
            Some(Role::Service(name)) => (Caller::Service, Charge::of(&limiters.services, name)),
            Some(Role::Admin(name)) => (Caller::Admin, Charge::of(&limiters.admins, name)),
            None => (Caller::Address, Charge::of(&limiters.addresses, &counted(address()))),
        })
    }

    /// Counts one page of `bytes` for the address that asks; nothing where limits are off.
    fn charge_page(&self, bytes: usize, address: impl FnOnce() -> IpAddr) -> Option<(Caller, Charge)> {
        let limiters = self.limiters.as_ref()?;
        let units = u32::try_from(bytes / limits::PAGE_BYTES).unwrap_or(u32::MAX - 1);
        let charge = Charge::many(&limiters.pages, &counted(address()), NonZeroU32::MIN.saturating_add(units));
        Some((Caller::Page, charge))
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
    if extensions.get::<Counted>().is_some() {
        return Ok(());
    }
    refuse(app, extensions, app.rates.charge(caller, || sender(app, headers, extensions)))
}

/// Counts a page of `bytes`, whoever asks for it, for the address it goes to.
pub fn count_page(app: &AppState, headers: &HeaderMap, extensions: &Extensions, bytes: usize) -> Result<(), ApiError> {
    refuse(app, extensions, app.rates.charge_page(bytes, || sender(app, headers, extensions)))
}

/// Where a request comes from.
pub(super) fn sender(app: &AppState, headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<Peer>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0);
    address::sender(peer, headers, &app.rates.trusted)
}

/// Notes the charge for the answer's head, and refuses what is too much.
fn refuse(app: &AppState, extensions: &Extensions, counted: Option<(Caller, Charge)>) -> Result<(), ApiError> {
    let Some((kind, charge)) = counted else { return Ok(()) };
    if let Some(slip) = extensions.get::<SharedCharge>() {
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

impl SharedCharge {
    /// Says in the answer's head what is left of the caller's quota, where the request was counted.
    pub fn show(&self, headers: &mut HeaderMap) {
        if let Some(charge) = self.0.get() {
            charge.write(headers);
        }
    }
}

impl FromRequestParts<App> for Sender {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        Ok(Self(counted(sender(app, &parts.headers, &parts.extensions))))
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
    use super::{Charge, RateLimits};
    use crate::auth::{Principal, Role};
    use crate::config::{Config, Flags, Switch};
    use crate::limits::{PAGE_BYTES, RATE_KEYS};
    use crate::metrics::Caller;
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
        Principal { role, scopes: vec![], guest: false, sid: None, expires_at: u64::MAX }
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
        assert_eq!(kind(Role::Service("x".into())), Some((Caller::Service, left)));
        assert_eq!(kind(Role::Admin("x".into())), Some((Caller::Admin, left)));
        assert_eq!(from(&limits, Ipv4Addr::LOCALHOST).remaining, 1);
        assert_eq!(from(&limits, Ipv4Addr::LOCALHOST).remaining, 0);
        assert!(from(&limits, Ipv4Addr::LOCALHOST).wait.is_some());
        let one = |low: u128| from(&limits, Ipv6Addr::from_bits((0x2001_0db8 << 96) + low)).remaining;
        assert_eq!((one(1), one(2), one(1 << 64)), (1, 0, 1), "a network of IPv6 is one");
    }

    #[test]
    fn pages_are_counted_by_address_apart_and_by_weight() {
        let flags = Flags { rate_page: Some("1/s,4".parse().unwrap()), ..Flags::default() };
        let clock = FakeRelativeClock::default();
        let limits = RateLimits::with_clock(&Config::load(&flags, HashMap::new()).unwrap(), &clock);
        let page = |bytes, last| limits.charge_page(bytes, || Ipv4Addr::new(192, 0, 2, last).into()).unwrap();
        assert_eq!(page(0, 1).0, Caller::Page);
        assert_eq!(page(PAGE_BYTES, 1).1.remaining, 1, "two of three");
        assert_eq!(page(PAGE_BYTES * 2, 1).1.wait, Some(Duration::from_secs(2)));
        assert_eq!(page(PAGE_BYTES - 1, 1).1.wait, None);
        assert_eq!(page(usize::MAX, 2).1.remaining, 0, "no more than all");
        assert!(from(&limits, Ipv4Addr::new(192, 0, 2, 2)).wait.is_none(), "other requests are another count");
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
