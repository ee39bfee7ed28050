//! A connection that speaks HTTP/2: each stream is served as a connection of one request. It may not know a frame.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connection, is_standing};
use crate::buffers::ReadBuffer;
use crate::http2::Downstream;
use crate::multiplex::Wire;
use crate::multiplex::server::{self, Host, Open};
use crate::side::Side;
use crate::stream::Stream;

impl Connection {
    /// Serves the streams of a connection that speaks HTTP/2, until its end.
    pub async fn multiplex(&mut self) {
        let worker = Rc::clone(&self.worker);
        // In clear an https target was meant for another server, unless one we trust ended TLS before us.
        let settings = &worker.snapshot().settings;
        let is_https = !self.side.stream.is_plain() || settings.is_trusted_proxy(self.peer.ip());
        let early = std::mem::take(&mut self.side.input);
        let stream = std::mem::replace(&mut self.side.stream, Stream::Closed);
        let host = self.beside(Side::new(Stream::Closed));
        server::serve(&worker, Wire::new(stream, early), is_https, host).await;
    }

    /// One of its streams, as a connection of one request.
    fn of_stream(&self, mut stream: Downstream) -> Self {
        let head = stream.take_head();
        let mut side = Side::new(Stream::Downstream(Box::new(stream)));
        side.input = ReadBuffer::of(head);
        self.beside(side)
    }

    /// A connection of the same client beside this one.
    fn beside(&self, side: Side) -> Self {
        let (worker, listener) = (Rc::clone(&self.worker), Arc::clone(&self.listener));
        let caller = self.caller.clone();
        Self {
            refusal: self.refusal.clone(),
            side,
            standing: self.standing.clone(),
            is_new: false,
            ..Self::of(worker, Stream::Closed, caller, listener, self.peer)
        }
    }
}

impl Host for Connection {
    /// A stranger's certificate has an end, too.
    fn is_standing(&mut self) -> bool {
        let end = self.caller.client_end();
        let is_over = end.is_some_and(|end| self.worker.since_epoch() >= end);
        !is_over && is_standing(&mut self.standing, &self.worker)
    }

    fn rest(&self) -> Duration {
        let now = self.worker.since_epoch();
        let rest = self.standing.as_ref().map(|standing| standing.rest(now));
        let of_client = self.caller.client_end();
        let of_client = of_client.map(|end| end.saturating_sub(now));
        rest.into_iter()
            .chain(of_client)
            .min()
            .unwrap_or(Duration::MAX)
    }

    /// In a task of its own, so that a panic in it costs nothing else.
    fn take(&mut self, stream: Downstream, open: Open) {
        let mut connection = self.of_stream(stream);
        tokio::task::spawn_local(async move {
            let _open = open;
            connection.request().await;
            let worker = Rc::clone(&connection.worker);
            connection.side.give_back(&mut worker.buffers.borrow_mut());
        });
    }
}
