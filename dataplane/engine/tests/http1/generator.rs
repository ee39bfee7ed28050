//! Messages for the comparison with other parsers: good ones of every kind, and the same with bytes changed where
//! parsers disagree. Always the same ones: a number is the whole of a message's origin.

/// A small generator of numbers (splitmix64), so that a failing message can be made again from its number.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

#[rustfmt::skip]
const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH", "get", "M-SEARCH", "!#$%&'*"];
#[rustfmt::skip]
const TARGETS: &[&str] = &["/", "/a/b?c=d", "/%20", "//x", "/a;b=c/../d", "http://b.example/x?y", "/?"];
#[rustfmt::skip]
const HOSTS: &[&str] = &["a", "shop.example:8080", "[::1]:80", "10.0.0.1"];
#[rustfmt::skip]
const FIELDS: &[&str] = &[
    "Accept: */*", "X-Empty:", "X-Tabs:\t a\tb \t", "Cookie: a=b; c=d", "Connection: keep-alive", "connection: close",
    "X-Obs: caf\u{e9}", "Via: 1.1 x", "TE: trailers", "Keep-Alive: timeout=5", "Expect: 100-continue", "x_y: z",
];
#[rustfmt::skip]
const FRAMINGS: &[&str] = &[
    "Content-Length: 0", "Content-Length: 5", "content-length: 005", "Transfer-Encoding: chunked",
    "transfer-encoding:chunked", "Transfer-Encoding: Chunked ",
];
/// Ill-framed, each in a way of its own.
#[rustfmt::skip]
const MISFRAMINGS: &[&str] = &[
    "Content-Length: 5\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5, 5",
    "Content-Length: +5", "Content-Length: -5", "Content-Length: 0x5", "Content-Length:", "Content-Length: 5 5",
    "Content-Length: 99999999999999999999", "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: gzip",
    "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "Transfer-Encoding: identity",
    "Transfer-Encoding: xchunked", "Transfer-Encoding:", "Transfer-Encoding: chunked;a=b", "Transfer-Encoding : chunked",
    "Transfer-Encoding: \x0bchunked", "Transfer-Encoding:\r\n chunked", "Transfer_Encoding: chunked",
    "Content_Length: 5", "Content-Length : 5", "Transfer-Encoding: ,chunked", "Transfer-Encoding: \"chunked\"",
];
#[rustfmt::skip]
const SIZES: &[&str] = &["3", "03", "0003", "3;a", "3;a=b", "3;a=\"b;\\\"c\"", "3;a;b=c"];
/// Sizes and extensions no parser should take.
#[rustfmt::skip]
const MISSIZES: &[&str] = &[
    "+3", "-3", "0x3", " 3", "3 ", "3 ;a", "3\t", "", ";a", "3;", "3;a=", "3; a", "3;a =b", "3;a=\"b", "3;a\nb", "3\n",
    "3;a=\"\n\"", "30000000000000003", "0000000000000003", "fffffffffffffffff", "3_", "3,", "3;a=b\0", "g", "3\r",
    "3;\x01",
];
#[rustfmt::skip]
const TRAILERS: &[&str] = &["", "Digest: x\r\n", "A: 1\r\nB:\r\n", "Digest: y \r\nServer-Timing: a;b=c\r\n"];
#[rustfmt::skip]
const STATUS_LINES: &[&str] = &[
    "HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found", "HTTP/1.0 200 OK", "HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.1 204 No Content",
    "HTTP/1.1 304 Not Modified", "HTTP/1.1 503 caf\u{e9}", "HTTP/1.1 100 Continue", "HTTP/1.1 599 X",
];
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", ";", "=", "\"", "\\", "0", "5", "f", "#", "\u{80}", "\x7f", "\x0b",
    "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "Host: a\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
    "0\r\n\r\n", "\r\n\r\n", "(", "@", "/", "%", "<", "A",
];

/// One to three requests on one connection; the number decides all.
pub fn requests(number: u64) -> Vec<u8> {
    let mut random = Random::new(number);
    let mut bytes = Vec::new();
    for _ in 0..=random.below(3) {
        let version = if random.one_in(8) {
            "HTTP/1.0"
        } else {
            "HTTP/1.1"
        };
        let (method, target) = (random.pick(METHODS), random.pick(TARGETS));
        let target = if method == "OPTIONS" && random.one_in(4) {
            "*"
        } else {
            target
        };
        push(&mut bytes, &[method, " ", target, " ", version, "\r\n"]);
        push(&mut bytes, &["Host: ", random.pick(HOSTS), "\r\n"]);
        rest_of_message(&mut bytes, &mut random);
    }
    change(&mut bytes, &mut random);
    bytes
}

/// One answer, perhaps with an interim one before it.
pub fn response(number: u64) -> Vec<u8> {
    let mut random = Random::new(number ^ 0x5555_0000);
    let mut bytes = Vec::new();
    if random.one_in(8) {
        push(
            &mut bytes,
            &["HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"],
        );
    }
    push(&mut bytes, &[random.pick(STATUS_LINES), "\r\n"]);
    rest_of_message(&mut bytes, &mut random);
    change(&mut bytes, &mut random);
    bytes
}

fn rest_of_message(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..random.below(3) {
        push(bytes, &[random.pick(FIELDS), "\r\n"]);
    }
    let framing = match random.below(12) {
        0..=2 => "X: no body",
        3 => random.pick(MISFRAMINGS),
        _ => random.pick(FRAMINGS),
    };
    push(bytes, &[framing, "\r\n\r\n"]);
    if framing.to_ascii_lowercase().contains("chunked") {
        for _ in 0..random.below(3) {
            let size = if random.one_in(10) {
                random.pick(MISSIZES)
            } else {
                random.pick(SIZES)
            };
            push(bytes, &[size, "\r\nabc\r\n"]);
        }
        push(bytes, &["0\r\n", random.pick(TRAILERS), "\r\n"]);
    } else if framing.contains('5') {
        push(bytes, &["hello"]);
    }
}

/// Half of the messages stay good; the others get one to three changes.
fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    if random.one_in(2) {
        return;
    }
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(3)).min(bytes.len());
        let piece = if random.one_in(4) {
            ""
        } else {
            random.pick(PIECES)
        };
        bytes.splice(at..end, latin1(piece));
    }
}

/// Each character one byte: obs-text can be written in these tables.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| character as u8).collect()
}

fn push(bytes: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        bytes.extend(latin1(part));
    }
}
