//! Reading before writing, over all connections of a thread. It may not know what is read or written.
//!
//! What wakes a thread is mostly more than one connection. If each is read from, thought about and written to in turn,
//! the program at the far end of every write is woken by it, is done long before the next one comes, and sleeps: on a
//! machine at half its load that is the dearest part of a write. So all that is ready is read first and then all is
//! written, one right behind the other. Where one connection alone is ready, nothing waits for anything.

use std::future::poll_fn;
use std::mem;
use std::task::Poll;

/// Lets all tasks that are ready run before this one goes on: to be waited for between a read and the write it leads to.
pub async fn end() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        // The runtime takes its ready tasks in order, so that this puts the task behind the others.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[tokio::test]
    async fn whatever_is_ready_is_read_before_anything_is_written() {
        let done = RefCell::new(Vec::new());
        let serve = async || {
            done.borrow_mut().push("read");
            end().await;
            done.borrow_mut().push("written");
        };
        tokio::join!(serve(), serve());
        assert_eq!(*done.borrow(), ["read", "read", "written", "written"]);
    }
}
