//! SHA-1 (FIPS 180-4), for the one place where a protocol wants it: the handshake of WebSocket, which proves by it that a
//! nonce was read, and keeps nothing secret. It may not be used for anything that has to hold.
//!
//! By hand, since the fuzzers build this without TLS and its C.

/// The hash of a message.
pub(super) fn sha1(message: &[u8]) -> [u8; 20] {
    let mut padded = message.to_vec();
    padded.push(0x80);
    let zeros = (64 - (padded.len() + 8) % 64) % 64;
    padded.resize(padded.len() + zeros, 0);
    padded.extend_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    let mut state: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    for block in padded.chunks_exact(64) {
        state = round(state, block);
    }
    let mut hash = [0; 20];
    for (four, word) in hash.chunks_exact_mut(4).zip(state) {
        four.copy_from_slice(&word.to_be_bytes());
    }
    hash
}

fn round(state: [u32; 5], block: &[u8]) -> [u32; 5] {
    let mut words = [0_u32; 80];
    for (word, four) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([four[0], four[1], four[2], four[3]]);
    }
    for at in 16..80 {
        let mixed = words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16];
        words[at] = mixed.rotate_left(1);
    }
    let [mut first, mut second, mut third, mut fourth, mut fifth] = state;
    for (at, word) in words.into_iter().enumerate() {
        let (chosen, constant) = match at / 20 {
            0 => ((second & third) | (!second & fourth), 0x5a82_7999),
            1 => (second ^ third ^ fourth, 0x6ed9_eba1),
            2 => (
                (second & third) | (second & fourth) | (third & fourth),
                0x8f1b_bcdc,
            ),
            _ => (second ^ third ^ fourth, 0xca62_c1d6_u32),
        };
        let next = (first.rotate_left(5))
            .wrapping_add(chosen)
            .wrapping_add(fifth)
            .wrapping_add(constant)
            .wrapping_add(word);
        (fifth, fourth, third) = (fourth, third, second.rotate_left(30));
        (second, first) = (first, next);
    }
    let mut sum = state;
    for (word, end) in sum.iter_mut().zip([first, second, third, fourth, fifth]) {
        *word = word.wrapping_add(end);
    }
    sum
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;

    use super::*;

    #[test]
    fn it_is_what_another_make_says_at_every_length() {
        let message: Vec<u8> = (0..200).collect();
        for length in 0..message.len() {
            let message = &message[..length];
            let judge = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message);
            assert_eq!(sha1(message), judge.as_ref(), "{length}");
        }
    }
}
