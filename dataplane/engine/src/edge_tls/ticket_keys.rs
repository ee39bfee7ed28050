//! Keys of session tickets as they come and as they are used. May not print one.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

/// Bytes of a key's secret.
const SECRET_BYTES: usize = 32;
/// Bytes of a key's name, which stands before what it sealed.
const NAME_BYTES: usize = 16;

/// The body of `PUT /v1/ticket-keys`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketKeysDocument {
    /// The keys, the one to be used first before the others.
    pub keys: Vec<TicketKeyDocument>,
}

/// One key of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TicketKeyDocument {
    /// 32 bytes in hex.
    pub secret: String,
    /// Until when tickets are made with it, in seconds since the epoch.
    pub makes_until_unix_s: u64,
    /// Until when those are taken.
    pub takes_until_unix_s: u64,
}

/// A key that seals tickets.
pub(super) struct TicketKey {
    name: [u8; NAME_BYTES],
    cipher: LessSafeKey,
    pub makes_until_unix_s: u64,
    pub takes_until_unix_s: u64,
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketKey").finish_non_exhaustive()
    }
}

impl TicketKey {
    pub fn read(document: &TicketKeyDocument) -> Result<Self, String> {
        let secret = secret_of(&document.secret)
            .ok_or_else(|| format!("a secret is {SECRET_BYTES} bytes in hex"))?;
        Self::new(
            &secret,
            document.makes_until_unix_s,
            document.takes_until_unix_s,
        )
        .ok_or_else(|| "a secret can't be used".to_owned())
    }

    /// A key nobody else has.
    pub fn random(makes_until_unix_s: u64, takes_until_unix_s: u64) -> Option<Self> {
        let mut secret = [0; SECRET_BYTES];
        aws_lc_rs::rand::fill(&mut secret).ok()?;
        Self::new(&secret, makes_until_unix_s, takes_until_unix_s)
    }

    fn new(secret: &[u8; SECRET_BYTES], makes: u64, takes: u64) -> Option<Self> {
        let mut named = b"meshnode ticket key name\n".to_vec();
        named.extend_from_slice(secret);
        let mut name = [0; NAME_BYTES];
        name.copy_from_slice(&digest(&SHA256, &named).as_ref()[..NAME_BYTES]);
        Some(Self {
            name,
            cipher: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, secret).ok()?),
            makes_until_unix_s: makes,
            takes_until_unix_s: takes,
        })
    }

    /// Whether it made this ticket, by the name before it.
    pub fn made(&self, ticket: &[u8]) -> bool {
        ticket.starts_with(&self.name)
    }

    /// Name, nonce, and the sealed text with its tag. Nonces are random: an hour's tickets of a whole mesh are far from
    /// the 2³² after which that is a risk (NIST SP 800-38D §8.3).
    pub fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        let mut sealed = plain.to_vec();
        let named = Aad::from(self.name);
        let nonce_used = Nonce::assume_unique_for_key(nonce);
        self.cipher
            .seal_in_place_append_tag(nonce_used, named, &mut sealed)
            .ok()?;
        Some([&self.name[..], &nonce, &sealed].concat())
    }

    /// What was sealed; none for what it did not make, or what was altered.
    pub fn open(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let sealed = ticket.strip_prefix(&self.name)?;
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = sealed.to_vec();
        let named = Aad::from(self.name);
        let length = self
            .cipher
            .open_in_place(nonce, named, &mut opened)
            .ok()?
            .len();
        opened.truncate(length);
        Some(opened)
    }
}

fn secret_of(hex: &str) -> Option<[u8; SECRET_BYTES]> {
    let digits = hex.as_bytes();
    if digits.len() != 2 * SECRET_BYTES || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut secret = [0; SECRET_BYTES];
    for (byte, pair) in secret.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(secret)
}
