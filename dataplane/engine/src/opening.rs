//! The frames that open a raw stream from one node to another: what is asked for, and whether it is granted
//! (docs/boundary.md). It may not do I/O, nor decide.

/// Bytes of a frame behind its first three: an instance's name, or a sentence.
pub const MOST_BYTES: usize = 1024;

const VERSION: u8 = 1;
const INSTANCE: u8 = 1;
const TRACEPARENT: u8 = 2;
const REASON: u8 = 3;
const SENTENCE: u8 = 4;

/// The frame breaks a rule; its connection can't be used any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the frame that opens a stream breaks its rules")]
pub struct BadFrame;

/// What stands in a frame; what it has no field of is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Frame<'f> {
    /// The instance the caller's side chose.
    pub instance: &'f [u8],
    /// The caller's place in its trace, as the header of that name has it.
    pub traceparent: &'f [u8],
    /// Why the stream is refused, by its code; empty: it is granted.
    pub reason: &'f [u8],
    /// The same for a person.
    pub sentence: &'f [u8],
}

impl<'f> Frame<'f> {
    /// The frame at the start of `input` and its length; none: more has to come.
    pub fn read(input: &'f [u8]) -> Result<Option<(Self, usize)>, BadFrame> {
        if input.first().is_some_and(|&version| version != VERSION) {
            return Err(BadFrame);
        }
        let Some((&[_, high, low], behind)) = input.split_first_chunk() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MOST_BYTES {
            return Err(BadFrame);
        }
        let Some(mut fields) = behind.get(..length) else {
            return Ok(None);
        };
        let mut frame = Self::default();
        while !fields.is_empty() {
            let (&[name, high, low], rest) = fields.split_first_chunk().ok_or(BadFrame)?;
            let length = usize::from(u16::from_be_bytes([high, low]));
            let (value, rest) = rest.split_at_checked(length).ok_or(BadFrame)?;
            match name {
                INSTANCE => frame.instance = value,
                TRACEPARENT => frame.traceparent = value,
                REASON => frame.reason = value,
                SENTENCE => frame.sentence = value,
                // A later version's, which this one can do without.
                _ => {}
            }
            fields = rest;
        }
        Ok(Some((frame, length + 3)))
    }

    /// Writes it; what is too long is cut.
    pub fn write(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&[VERSION, 0, 0]);
        let fields = [
            (INSTANCE, self.instance),
            (TRACEPARENT, self.traceparent),
            (REASON, self.reason),
            (SENTENCE, self.sentence),
        ];
        for (name, value) in fields {
            let room = (MOST_BYTES + begin).saturating_sub(out.len());
            let value = &value[..value.len().min(room)];
            if !value.is_empty() {
                let [high, low] = (value.len() as u16).to_be_bytes();
                out.extend_from_slice(&[name, high, low]);
                out.extend_from_slice(value);
            }
        }
        let [high, low] = ((out.len() - begin - 3) as u16).to_be_bytes();
        out[begin + 1] = high;
        out[begin + 2] = low;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written_however_it_comes() {
        let frame = Frame {
            instance: b"cart-1",
            traceparent: b"00-x",
            ..Frame::default()
        };
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        for end in 0..bytes.len() {
            assert_eq!(Frame::read(&bytes[..end]), Ok(None));
        }
        bytes.extend_from_slice(b"more");
        assert_eq!(Frame::read(&bytes), Ok(Some((frame, bytes.len() - 4))));
    }

    #[test]
    fn a_sentence_that_is_too_long_is_cut_and_what_is_unknown_is_passed_over() {
        let long = [b'x'; 4096];
        let mut bytes = Vec::new();
        let refusal = Frame {
            reason: b"not_here",
            sentence: &long,
            ..Frame::default()
        };
        refusal.write(&mut bytes);
        let (read, length) = Frame::read(&bytes).unwrap().unwrap();
        assert_eq!((read.reason, length), (&b"not_here"[..], bytes.len()));
        assert!(read.sentence.len() > 900 && length <= MOST_BYTES + 3);
        let unknown = [1, 0, 5, 99, 0, 2, b'h', b'i'];
        assert_eq!(Frame::read(&unknown), Ok(Some((Frame::default(), 8))));
    }

    #[test]
    fn what_is_no_frame_is_refused_at_once() {
        for bytes in [
            &b"GET / HTTP/1.1"[..],
            &[1, 0x04, 0x01],
            &[1, 0, 2, 1, 0],
            &[1, 0, 4, 1, 0, 9, b'x'],
        ] {
            assert_eq!(Frame::read(bytes), Err(BadFrame), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(Some((_, length))) = Frame::read(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
