//! Where a request comes from: the peer, or what proxies that are trusted say of who asked them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Who is at the other end of a connection; in the extensions of every request that came by one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

/// An address, or a network such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(IpNet);

/// Neither an address nor a network.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is neither an address nor a network such as 10.0.0.0/8")]
pub struct NoNetwork(String);

impl Network {
    fn has(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map(Self).map_err(|_| NoNetwork(text.to_owned()))
    }
}

impl TryFrom<String> for Network {
    type Error = NoNetwork;

    fn try_from(text: String) -> Result<Self, NoNetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who asked `peer`, or whoever is nearest to them of those that can be believed.
///
/// Each proxy writes at the end of `X-Forwarded-For` who asked it. What stands further left than the
/// first who is not trusted is that one's own claim.
pub(super) fn origin(peer: Peer, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let lines = headers.get_all(FORWARDED_FOR).into_iter().rev();
    let mut said = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    let mut nearest = peer.0.to_canonical();
    while trusted.iter().any(|network| network.has(nearest)) {
        match said.next().and_then(address) {
            Some(before) => nearest = before,
            None => break,
        }
    }
    nearest
}

/// An address as proxies write it: some add the port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    text.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

/// What stands for all addresses that one household or machine is given: of IPv6 a network of 64 bits.
pub(super) fn household(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// Who asked, if `peer` sends these lines and the networks are trusted.
    fn asked(peer: &str, lines: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let trusted: Vec<Network> =
            trusted.iter().map(|network| network.parse().unwrap()).collect();
        origin(Peer(peer.parse().unwrap()), &headers, &trusted).to_string()
    }

    #[test]
    fn what_a_peer_says_that_is_not_trusted_is_not_believed() {
        assert_eq!(asked("203.0.113.9", &["198.51.100.1"], &[]), "203.0.113.9");
        assert_eq!(asked("203.0.113.9", &["198.51.100.1"], &["10.0.0.0/8"]), "203.0.113.9");
        assert_eq!(asked("11.0.0.1", &["198.51.100.1"], &["10.0.0.0/8"]), "11.0.0.1");
    }

    #[test]
    fn a_proxy_that_is_trusted_says_who_asked_it() {
        assert_eq!(asked("10.0.0.2", &["198.51.100.1"], &["10.0.0.2"]), "198.51.100.1");
        assert_eq!(asked("10.0.0.2", &[], &["10.0.0.2"]), "10.0.0.2");
        assert_eq!(asked("::ffff:10.0.0.2", &["198.51.100.1"], &["10.0.0.0/8"]), "198.51.100.1");
        assert_eq!(asked("fd00::1", &["2001:db8::7"], &["fd00::/8"]), "2001:db8::7");
        for with_port in ["198.51.100.1:4711", " 198.51.100.1 ", "::ffff:198.51.100.1"] {
            assert_eq!(asked("10.0.0.2", &[with_port], &["10.0.0.2"]), "198.51.100.1");
        }
        assert_eq!(asked("10.0.0.2", &["[2001:db8::7]:4711"], &["10.0.0.2"]), "2001:db8::7");
    }

    #[test]
    fn a_chain_is_believed_as_far_as_it_is_of_trusted_proxies() {
        let trusted = ["10.0.0.0/8", "192.0.2.1"];
        // A client forged the first; the proxies wrote the others.
        let line = "1.2.3.4, 198.51.100.1, 192.0.2.1, 10.9.9.9";
        assert_eq!(asked("10.0.0.2", &[line], &trusted), "198.51.100.1");
        let lines = ["1.2.3.4", "198.51.100.1", "192.0.2.1, 10.9.9.9"];
        assert_eq!(asked("10.0.0.2", &lines, &trusted), "198.51.100.1");
        // A client that pretends to be a proxy is still found where the proxy wrote it down.
        assert_eq!(asked("10.0.0.2", &["10.1.1.1, 198.51.100.1"], &trusted), "198.51.100.1");
        // Somebody inside asked.
        assert_eq!(asked("10.0.0.2", &["10.1.1.1, 10.2.2.2"], &trusted), "10.1.1.1");
    }

    #[test]
    fn what_is_no_address_hides_nobody() {
        for nonsense in ["", "unknown", "1.2.3.4, _hidden", "1.2.3.4,", "300.1.1.1"] {
            assert_eq!(asked("10.0.0.2", &[nonsense], &["10.0.0.0/8"]), "10.0.0.2", "{nonsense:?}");
        }
        assert_eq!(asked("10.0.0.2", &["unknown, 10.1.1.1"], &["10.0.0.0/8"]), "10.1.1.1");
    }

    #[test]
    fn all_addresses_of_a_household_are_one() {
        let of = |text: &str| household(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:2:ffff::"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:3::1"), "2001:db8:1:3::");
        assert_eq!(of("198.51.100.1"), "198.51.100.1");
    }

    #[test]
    fn a_network_is_written_as_it_is_read() {
        for text in ["10.0.0.0/8", "fd00::/8"] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.1".parse::<Network>().unwrap().to_string(), "192.0.2.1/32");
        for wrong in ["", "10.0.0.0/33", "proxy.internal", "10.0.0"] {
            let why = wrong.parse::<Network>().unwrap_err().to_string();
            assert!(why.starts_with(&format!("{wrong:?} is neither")), "{why}");
        }
    }
}
