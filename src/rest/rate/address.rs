//! Where a request comes from, as far as it can be known.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

/// The other end of the connection a request came by; the accept loop puts it into the request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub IpAddr);

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who counts as the sender. Anybody can write `X-Forwarded-For`, so it is read only where the peer is a proxy of ours, and
/// then from its end: every proxy appends whom it heard, so the last one that is none of ours is as far as can be trusted.
pub(super) fn sender(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let is_ours = |address: IpAddr| trusted.contains(&address);
    let mut sender = peer.to_canonical();
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(parse));
    while is_ours(sender) {
        match hops.next() {
            Some(Some(hop)) => sender = hop,
            // Nothing left, or nonsense, and what stands before that is no better.
            Some(None) | None => break,
        }
    }
    sender
}

/// The address that is counted. Whoever has one address of IPv6 has at least the 2^64 of its network.
pub const fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// An address, with a port or without.
fn parse(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let address = hop.parse().or_else(|_| hop.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::{counted, sender};
    use axum::http::{HeaderMap, HeaderValue};
    use std::net::IpAddr;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_last_hop_that_is_not_ours_is_the_sender() {
        let trusted = [ip("10.0.0.1"), ip("10.0.0.2")];
        let from = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
            }
            sender(ip(peer), &headers, &trusted).to_string()
        };
        assert_eq!(from("192.0.2.7", &["1.1.1.1"]), "192.0.2.7", "anybody can write that");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["6.6.6.6, 1.1.1.1"]), "1.1.1.1", "the rest is the client's own claim");
        assert_eq!(from("10.0.0.1", &["6.6.6.6, 1.1.1.1, 10.0.0.2"]), "1.1.1.1");
        assert_eq!(from("10.0.0.1", &["6.6.6.6", "1.1.1.1:4711"]), "1.1.1.1");
        assert_eq!(from("10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(from("10.0.0.1", &["1.1.1.1, unknown"]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["10.0.0.2"]), "10.0.0.2");
        assert_eq!(from("::ffff:10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        assert_eq!(counted(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_ne!(counted(ip("2001:db8:1:3::1")), counted(ip("2001:db8:1:2::1")));
        assert_eq!(counted(ip("192.0.2.7")), ip("192.0.2.7"));
    }
}
