//! What is ready at one moment leaves in one write: the reason for gathering under h2.

use std::io;
use std::task::Context;

use tokio::io::ReadBuf;

use super::*;

/// A socket that counts what is written to it.
struct Counted {
    socket: DuplexStream,
    writes: Rc<Cell<usize>>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, into)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writes.set(self.writes.get() + 1);
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// A client whose server's writes are counted.
async fn counted(world: &World) -> (Client, Rc<Cell<usize>>) {
    let (ours, socket) = tokio::io::duplex(1 << 20);
    let writes = Rc::new(Cell::new(0));
    world.serve(Counted { socket, writes: Rc::clone(&writes) });
    let mut builder = h2::client::Builder::new();
    let (send, connection) =
        builder.initial_connection_window_size(5 << 20).handshake(ours).await.expect("the client shakes hands");
    world.executor.spawn(async { drop(connection.await) }).detach();
    let mut client = Client { send };
    assert_eq!(client.call("Echo", b"settles windows and settings").await.code(), "0");
    world.settle().await;
    (client, writes)
}

#[test]
fn answers_that_are_given_together_leave_together() {
    in_world(Limits::default(), |world| async move {
        let (mut client, writes) = counted(&world).await;
        let mut waiting = Vec::new();
        for _ in 0..100 {
            waiting.push(client.begin(request("Hold", &[]), framed(b"x")).await);
        }
        world.settle().await;
        let before = writes.get();
        for (_, _, reply) in world.seen.held.take() {
            reply.ok(vec![b'y'; 1_000]);
        }
        for response in waiting {
            assert_eq!(read_all(response).await.unwrap().body.len(), 1_005);
        }
        assert_eq!(writes.get() - before, 1, "one write for a hundred answers");
    });
}

#[test]
fn requests_that_come_together_are_answered_together() {
    in_world(Limits::default(), |world| async move {
        let (client, writes) = counted(&world).await;
        let before = writes.get();
        let mut waiting = Vec::new();
        for _ in 0..100 {
            // No turn of the connection between them: they leave the client in one piece.
            let mut send = client.send.clone();
            let (response, mut stream) = send.send_request(request("Echo", &[]), false).unwrap();
            stream.send_data(framed(&[b'x'; 300]), true).unwrap();
            waiting.push(response);
        }
        for response in waiting {
            assert_eq!(read_all(response).await.unwrap().code(), "0");
        }
        let batches = writes.get() - before;
        assert!(batches <= 3, "{batches} writes for a hundred requests");
    });
}
