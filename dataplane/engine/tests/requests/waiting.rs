//! What a request holds while its answer does not come: no buffer.

use meshnode_engine::buffers::{BULK_BYTES, ReadBuffer};

use crate::manual::Manual;
use crate::support::{Client, Proxy, run};

const GET: &str = "GET /events HTTP/1.1\r\nHost: shop.test\r\n\r\n";
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Two free buffers to read into, one for each side, so that it is seen whether both are free again.
fn provide(proxy: &Proxy) {
    for _ in 0..2 {
        let mut buffer = ReadBuffer::default();
        buffer.space(BULK_BYTES);
        proxy.worker.buffers.borrow_mut().give_read(buffer);
    }
}

fn are_free(proxy: &Proxy) -> bool {
    let mut pool = proxy.worker.buffers.borrow_mut();
    let read: Vec<_> = (0..2).map(|_| pool.take_read()).collect();
    let written: Vec<_> = (0..2).map(|_| pool.take_write()).collect();
    let are_free = read.iter().all(|buffer| !buffer.is_bare());
    let is_free = written.iter().any(|buffer| !buffer.is_bare());
    for buffer in read {
        pool.give_read(buffer);
    }
    for buffer in written {
        pool.give_write(buffer);
    }
    are_free && is_free
}

#[test]
fn who_waits_for_an_answer_or_for_more_of_one_holds_no_buffers() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = Proxy::with(&[origin.address], |_| {}).await;
        provide(&proxy);
        let mut client: Client = proxy.connect().await;
        client.write(GET).await;
        let mut asked = origin.asked().await;
        assert!(are_free(&proxy), "before the answer");
        asked.write(HEAD).await;
        asked.write(b"5\r\nfirst\r\n").await;
        client.find("5\r\nfirst\r\n").await;
        assert!(are_free(&proxy), "between its pieces");
        asked.write(b"0\r\n\r\n").await;
        client.find("0\r\n\r\n").await;
        // The connection goes on with buffers of the pool.
        client.write(GET).await;
        asked.next().await;
        assert!(are_free(&proxy), "before the next answer");
    });
}

#[test]
fn a_body_that_waits_keeps_what_it_needs_and_loses_no_byte() {
    run(async {
        let mut origin = Manual::start().await;
        let proxy = Proxy::with(&[origin.address], |_| {}).await;
        let mut client = proxy.connect().await;
        let put = "PUT / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 6\r\n\r\nab";
        client.write(put).await;
        let mut asked = origin.asked().await;
        asked.expect(b"ab").await;
        for piece in ["cd", "ef"] {
            client.write(piece).await;
            asked.expect(piece.as_bytes()).await;
        }
        asked.write(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        assert!(client.answer().await.starts_with("HTTP/1.1 204 "));
    });
}
