//! The tickets that have been minted and not used, by all who have a part in them. Minting never fails: where there are too many
//! tickets, the oldest of whoever has too many is given up. A player pays for its own, who asked for many pays for those, and
//! where all together are too many, it is the one who asked for the most.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash as Hashed;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{Principal, Role};
use crate::limits;

/// Of the ticket's `jti`: what is in memory admits nobody.
pub type Hash = [u8; 32];

/// Who asked for a ticket. Players, whom anybody can have many of, are known by the address they ask from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sponsor {
    Address(IpAddr),
    /// A service or an administrator.
    Named(String),
}

/// Whose ticket was given up, and so why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    Player,
    Sponsor,
    /// Of the sponsor with the most: all together were too many.
    Heaviest,
}

#[derive(Debug)]
struct Ticket {
    hash: Hash,
    until: Instant,
    player: Uuid,
    sponsor: Sponsor,
}

/// Tickets have rising numbers. Every ticket is good for the same time, so that is the order in which they expire, too.
#[derive(Debug, Default)]
pub struct Outstanding {
    tickets: BTreeMap<u64, Ticket>,
    next: u64,
    by_hash: HashMap<Hash, u64>,
    by_player: HashMap<Uuid, BTreeSet<u64>>,
    by_sponsor: HashMap<Sponsor, BTreeSet<u64>>,
    /// How many each sponsor has; the last has the most.
    by_weight: BTreeSet<(usize, Sponsor)>,
}

impl Sponsor {
    /// Of a caller at this address.
    pub fn of(caller: &Principal, address: IpAddr) -> Self {
        match &caller.role {
            Role::Player(_) => Self::Address(address),
            Role::Service(name) => Self::Named(format!("service:{name}")),
            Role::Admin(name) => Self::Named(format!("admin:{name}")),
        }
    }

    const fn most(&self) -> usize {
        match self {
            Self::Address(_) => limits::TICKETS_PER_ADDRESS,
            Self::Named(_) => limits::TICKETS_PER_SERVICE,
        }
    }
}

impl Outstanding {
    /// Adds one, and gives up another where that is one too many.
    pub fn add(&mut self, hash: Hash, player: Uuid, sponsor: Sponsor, now: Instant) -> Option<GivenUp> {
        self.forget(now);
        let given_up = self.make_room(player, &sponsor);
        let number = self.next;
        self.next += 1;
        self.by_hash.insert(hash, number);
        self.by_player.entry(player).or_default().insert(number);
        self.change_sponsor(&sponsor, |numbers| numbers.insert(number));
        let until = now + Duration::from_millis(limits::TICKET_MS);
        self.tickets.insert(number, Ticket { hash, until, player, sponsor });
        given_up
    }

    /// Takes one out. Of many who ask at once exactly one gets `true`.
    pub fn take(&mut self, hash: &Hash, now: Instant) -> bool {
        let number = self.by_hash.get(hash).copied();
        number.and_then(|number| self.remove(number)).is_some_and(|ticket| now < ticket.until)
    }

    pub fn count(&self) -> usize {
        self.tickets.len()
    }

    /// Those that have expired.
    fn forget(&mut self, now: Instant) {
        while let Some(number) = self.tickets.first_key_value().filter(|(_, ticket)| ticket.until <= now).map(first) {
            self.remove(number);
        }
    }

    fn make_room(&mut self, player: Uuid, sponsor: &Sponsor) -> Option<GivenUp> {
        let oldest = |numbers: Option<&BTreeSet<u64>>, most| {
            numbers.filter(|numbers| numbers.len() >= most).and_then(|numbers| numbers.first().copied())
        };
        let of_player = oldest(self.by_player.get(&player), limits::TICKETS_PER_PLAYER);
        let of_sponsor = || oldest(self.by_sponsor.get(sponsor), sponsor.most());
        let of_heaviest = || {
            let is_full = self.tickets.len() >= limits::TICKETS;
            let (_, heaviest) = self.by_weight.last().filter(|_| is_full)?;
            oldest(self.by_sponsor.get(heaviest), 1)
        };
        let (number, why) = of_player
            .map(|number| (number, GivenUp::Player))
            .or_else(|| of_sponsor().map(|number| (number, GivenUp::Sponsor)))
            .or_else(|| of_heaviest().map(|number| (number, GivenUp::Heaviest)))?;
        self.remove(number);
        Some(why)
    }

    fn remove(&mut self, number: u64) -> Option<Ticket> {
        let ticket = self.tickets.remove(&number)?;
        self.by_hash.remove(&ticket.hash);
        remove_from(&mut self.by_player, &ticket.player, number);
        self.change_sponsor(&ticket.sponsor, |numbers| numbers.remove(&number));
        Some(ticket)
    }

    fn change_sponsor(&mut self, sponsor: &Sponsor, change: impl FnOnce(&mut BTreeSet<u64>) -> bool) {
        let numbers = self.by_sponsor.entry(sponsor.clone()).or_default();
        let before = numbers.len();
        change(numbers);
        let after = numbers.len();
        self.by_weight.remove(&(before, sponsor.clone()));
        if after == 0 {
            self.by_sponsor.remove(sponsor);
        } else {
            self.by_weight.insert((after, sponsor.clone()));
        }
    }
}

fn first<T>((number, _): (&u64, T)) -> u64 {
    *number
}

fn remove_from<K: Eq + Hashed>(map: &mut HashMap<K, BTreeSet<u64>>, key: &K, number: u64) {
    if let Some(numbers) = map.get_mut(key) {
        numbers.remove(&number);
        if numbers.is_empty() {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{GivenUp, Hash, Outstanding, Sponsor};
    use crate::limits;
    use std::net::Ipv4Addr;
    use std::time::{Duration, Instant};
    use uuid::Uuid;

    fn name(number: usize) -> Hash {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_le_bytes());
        hash
    }

    fn address(last: u8) -> Sponsor {
        Sponsor::Address(Ipv4Addr::new(192, 0, 2, last).into())
    }

    fn player(number: usize) -> Uuid {
        Uuid::from_u128(number as u128)
    }

    fn is_consistent(outstanding: &Outstanding) {
        let count = outstanding.tickets.len();
        assert_eq!(outstanding.by_hash.len(), count);
        assert_eq!(outstanding.by_player.values().map(std::collections::BTreeSet::len).sum::<usize>(), count);
        assert_eq!(outstanding.by_sponsor.values().map(std::collections::BTreeSet::len).sum::<usize>(), count);
        assert_eq!(outstanding.by_weight.iter().map(|(weight, _)| weight).sum::<usize>(), count);
    }

    #[test]
    fn a_player_with_many_gives_up_its_own_oldest() {
        let (mut outstanding, now) = (Outstanding::default(), Instant::now());
        assert_eq!(outstanding.add(name(9_999), player(2), address(1), now), None);
        for number in 0..limits::TICKETS_PER_PLAYER {
            assert_eq!(outstanding.add(name(number), player(1), address(1), now), None);
        }
        let one_more = outstanding.add(name(1_000), player(1), Sponsor::Named("service:a".into()), now);
        assert_eq!(one_more, Some(GivenUp::Player), "whoever asks for it");
        assert!(!outstanding.take(&name(0), now), "the oldest");
        for number in [1, 1_000, 9_999] {
            assert!(outstanding.take(&name(number), now), "{number}");
            assert!(!outstanding.take(&name(number), now), "once");
        }
        is_consistent(&outstanding);
    }

    #[test]
    fn one_address_has_a_share_and_others_theirs() {
        let (mut outstanding, now) = (Outstanding::default(), Instant::now());
        assert_eq!(outstanding.add(name(0), player(0), address(7), now), None);
        for number in 1..=limits::TICKETS_PER_ADDRESS {
            assert_eq!(outstanding.add(name(number), player(number), address(1), now), None);
        }
        let next = limits::TICKETS_PER_ADDRESS + 1;
        assert_eq!(outstanding.add(name(next), player(next), address(1), now), Some(GivenUp::Sponsor));
        assert!(!outstanding.take(&name(1), now));
        assert!(outstanding.take(&name(0), now), "older, and of another address");
        is_consistent(&outstanding);
    }

    #[test]
    fn when_all_are_too_many_who_has_the_most_gives_one_up() {
        let (mut outstanding, now) = (Outstanding::default(), Instant::now());
        let service = |name: &str| Sponsor::Named(name.to_owned());
        assert_eq!(outstanding.add(name(0), player(0), address(1), now), None);
        for number in 1..limits::TICKETS {
            let of = if number <= limits::TICKETS_PER_SERVICE { service("greedy") } else { service("modest") };
            assert_eq!(outstanding.add(name(number), player(number), of, now), None);
        }
        let next = limits::TICKETS;
        for more in 0..100 {
            let of = address(u8::try_from(more).unwrap() + 2);
            assert_eq!(outstanding.add(name(next + more), player(next + more), of, now), Some(GivenUp::Heaviest));
        }
        assert_eq!(outstanding.count(), limits::TICKETS);
        assert!(outstanding.take(&name(0), now) && outstanding.take(&name(next), now));
        assert!(!outstanding.take(&name(1), now), "the oldest of the greedy one");
        is_consistent(&outstanding);
    }

    #[test]
    fn expired_ones_are_refused_and_make_room() {
        let (mut outstanding, start) = (Outstanding::default(), Instant::now());
        for number in 0..100 {
            outstanding.add(name(number), player(number), address(1), start);
        }
        let later = start + Duration::from_millis(limits::TICKET_MS);
        assert!(!outstanding.take(&name(1), later));
        outstanding.add(name(100), player(1), address(1), later);
        assert_eq!(outstanding.count(), 1);
        is_consistent(&outstanding);
    }
}
