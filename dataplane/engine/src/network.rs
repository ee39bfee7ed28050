//! Networks and addresses in one space. It may not look a name up.

use std::net::IpAddr;

/// A network in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: u128,
    mask: u128,
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8`, or an address alone.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (bits, offset) = if address.is_ipv4() {
            (32, 96)
        } else {
            (128, 0)
        };
        let length: u32 = match length {
            // `+8` and the like are numbers to Rust only.
            Some(text) if !text.bytes().all(|byte| byte.is_ascii_digit()) => return None,
            Some(text) => text.parse().ok().filter(|&length| length <= bits)?,
            None => bits,
        };
        let mask = u128::MAX.checked_shl(128 - offset - length).unwrap_or(0);
        Some(Self {
            address: as_number(address) & mask,
            mask,
        })
    }

    /// Whether `address` is in it; IPv4 in IPv6 form counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        as_number(address) & self.mask == self.address
    }
}

/// Whether one of `networks` has `address`.
pub fn any_contains(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// Whom an address stands for: of IPv6 a network of 64 bits, which is what one customer gets (RFC 6177).
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
    }
}

/// All addresses in one space: IPv4 as IPv6 maps it.
fn as_number(address: IpAddr) -> u128 {
    u128::from(match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    })
}
