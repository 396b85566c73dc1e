//! Address blocks in CIDR notation, as `source-address` takes them (draft-ietf-sshm-cert,
//! `ssh-keygen(1)` CERTIFICATES): strict, without host bits.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::words::WordError;

/// One block of addresses. Its host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Whether an address lies in this block. An IPv4 address written as IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        masked(address.to_canonical(), self.prefix) == Some(self.network)
    }
}

impl FromStr for Cidr {
    type Err = WordError;

    fn from_str(given: &str) -> Result<Self, WordError> {
        let wrong = |why| WordError {
            what: "address block",
            given: given.to_owned(),
            why,
        };
        let (network, prefix) = match given.split_once('/') {
            Some((network, prefix)) => (network, Some(prefix)),
            None => (given, None),
        };
        let network: IpAddr = network.parse().map_err(|_| wrong("it is not an address"))?;
        let prefix = match prefix {
            None => bits(network),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits
                .parse()
                .map_err(|_| wrong("its prefix is too long"))?,
            Some(_) => return Err(wrong("its prefix is not a number")),
        };
        match masked(network, prefix) {
            Some(clean) if clean == network => Ok(Self { network, prefix }),
            Some(_) => Err(wrong("it has bits set behind its prefix")),
            None => Err(wrong("its prefix is too long")),
        }
    }
}

impl TryFrom<String> for Cidr {
    type Error = WordError;

    fn try_from(given: String) -> Result<Self, WordError> {
        given.parse()
    }
}

impl From<Cidr> for String {
    fn from(block: Cidr) -> Self {
        block.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with everything behind the prefix cleared; none if the prefix does not fit it.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let host = bits(address).checked_sub(prefix)?;
    Some(match address {
        IpAddr::V4(v4) => IpAddr::from((v4.to_bits() & !low_bits_32(host)).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::from((v6.to_bits() & !low_bits_128(host)).to_be_bytes()),
    })
}

fn low_bits_32(count: u8) -> u32 {
    1_u32
        .checked_shl(count.into())
        .map_or(u32::MAX, |bit| bit - 1)
}

fn low_bits_128(count: u8) -> u128 {
    1_u128
        .checked_shl(count.into())
        .map_or(u128::MAX, |bit| bit - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_strict() {
        for good in [
            "10.0.0.0/8",
            "0.0.0.0/0",
            "::/0",
            "2001:db8::/32",
            "192.0.2.7",
            "::1/128",
        ] {
            assert!(good.parse::<Cidr>().is_ok(), "{good}");
        }
        for bad in [
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "::1/129",
            "a/8",
            "",
            "10.0.0.0/8,::/0",
        ] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_block_contains_its_addresses_only() {
        let block: Cidr = "10.1.0.0/16".parse().unwrap();
        assert!(block.contains("10.1.255.255".parse().unwrap()));
        assert!(
            block.contains("::ffff:10.1.0.1".parse().unwrap()),
            "mapped addresses are IPv4"
        );
        assert!(!block.contains("10.2.0.0".parse().unwrap()));
        let all: Cidr = "::/0".parse().unwrap();
        assert!(all.contains("2001:db8::1".parse().unwrap()));
        assert!(
            !all.contains("10.0.0.1".parse().unwrap()),
            "IPv4 is not in an IPv6 block"
        );
    }
}
