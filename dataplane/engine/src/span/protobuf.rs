//! Writes protobuf messages straight into bytes, without making the messages first. It may not know OTLP.
//!
//! A span has about twenty attributes, each three messages deep; as values they are eighty allocations.

/// Bytes being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

/// The wire types (protobuf encoding, "Message Structure").
const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

/// Bytes kept free for a message's length: most are 128 to 16,383 bytes long.
const LENGTH_BYTES: usize = 2;

impl Writer {
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(capacity),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    pub fn varint(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        self.push_varint(value);
    }

    pub fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn fixed32(&mut self, field: u32, value: u32) {
        self.tag(field, FIXED32);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub fn bytes(&mut self, field: u32, value: &[u8]) {
        self.bytes_of(field, &[value]);
    }

    /// A text made of pieces.
    pub fn bytes_of(&mut self, field: u32, pieces: &[&[u8]]) {
        self.tag(field, LENGTH);
        self.push_varint(pieces.iter().map(|piece| piece.len() as u64).sum());
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
    }

    /// Begins a message within the message that will be of `length` bytes.
    pub fn begin(&mut self, field: u32, length: usize) {
        self.tag(field, LENGTH);
        self.push_varint(length as u64);
    }

    /// A message within the message, however long: what `write` writes.
    pub fn message(&mut self, field: u32, write: impl FnOnce(&mut Self)) {
        self.tag(field, LENGTH);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        write(self);
        let body = start + LENGTH_BYTES;
        let end = self.bytes.len();
        let (varint, length) = to_varint((end - body) as u64);
        // A length of another size than was kept free moves the body.
        if length > LENGTH_BYTES {
            self.bytes.resize(end + length - LENGTH_BYTES, 0);
        }
        if length != LENGTH_BYTES {
            self.bytes.copy_within(body..end, start + length);
            self.bytes.truncate(end + length - LENGTH_BYTES);
        }
        self.bytes[start..start + length].copy_from_slice(&varint[..length]);
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        self.push_varint(u64::from(field << 3 | wire_type));
    }

    fn push_varint(&mut self, value: u64) {
        if value < 0x80 {
            return self.bytes.push(value as u8);
        }
        let (varint, length) = to_varint(value);
        self.bytes.extend_from_slice(&varint[..length]);
    }
}

/// The bytes of a field of so many bytes, its number below 16.
pub(super) const fn bytes_field_bytes(length: usize) -> usize {
    varint_field_bytes(length as u64) + length
}

/// The bytes of a number's field, the field's number below 16.
pub(super) const fn varint_field_bytes(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    1 + bits.div_ceil(7)
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
fn to_varint(mut value: u64) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut length = 0;
    while value >= 0x80 {
        bytes[length] = value as u8 | 0x80;
        value >>= 7;
        length += 1;
    }
    bytes[length] = value as u8;
    (bytes, length + 1)
}
