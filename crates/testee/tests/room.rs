//! A server whose clients hear each other, over real sockets. Nothing here sleeps.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wsproof_testee::{
    ClientConfig, EchoOptions, EchoServer, Endpoint, Event, Message, Room, connection,
    mailbox::{Post, mailbox},
};

const LIMIT: Duration = Duration::from_mins(1);

/// A server for a room, and how to stop it.
async fn serve(room: &Room) -> (SocketAddr, CancellationToken) {
    let options = EchoOptions { room: Some(room.clone()), ..EchoOptions::default() };
    let server = EchoServer::bind(options).await.unwrap();
    let (addr, stop) = (server.local_addrs()[0], CancellationToken::new());
    tokio::spawn(server.serve(stop.clone()));
    (addr, stop)
}

/// A client with what it sends and what it has received.
struct Client {
    post: Post,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Client {
    /// A client that is in the room already.
    async fn enter(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect(addr).await.unwrap();
        let (post, mut outgoing) = mailbox(usize::MAX);
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut endpoint = Endpoint::client(ClientConfig::new("room", "/", [3; 32]));
            let never = CancellationToken::new();
            let on_event = |_: &mut Endpoint, _, event| sender.send(event).unwrap_or_default();
            connection::drive_with(stream, &mut endpoint, &mut outgoing, &never, on_event).await
        });
        let mut client = Self { post, events };
        assert!(matches!(client.next().await, Event::Opened { .. }));
        client
    }

    fn say(&self, message: Message) {
        self.post.send(message.into()).unwrap();
    }

    async fn next(&mut self) -> Event {
        timeout(LIMIT, self.events.recv()).await.unwrap().unwrap()
    }

    #[track_caller]
    fn check(event: &Event, message: &Message) {
        let Event::Message { text, payload } = event else { panic!("{event:?}") };
        match message {
            Message::Text(expected) => assert!(*text && payload == expected.as_bytes()),
            Message::Binary(expected) => assert!(!text && payload == expected),
        }
    }
}

#[tokio::test]
async fn everybody_hears_everything_in_one_order_and_the_sender_too() {
    let room = Room::default();
    let (addr, stop) = serve(&room).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(Client::enter(addr).await);
    }
    let messages = [
        Message::Text("größer".to_owned()),
        Message::Binary(vec![0, 0xff]),
        Message::Text(String::new()),
        Message::Binary(vec![7; 3 << 20]),
    ];
    for (n, message) in messages.iter().enumerate() {
        clients[n].say(message.clone());
        for client in &mut clients {
            Client::check(&client.next().await, message);
        }
    }
    // Whatever the order is, it is the same for all of them.
    for (n, client) in clients.iter().enumerate() {
        for m in 0..100 {
            client.say(Message::Text(format!("{n} {m}")));
        }
    }
    let mut heard = Vec::new();
    for client in &mut clients {
        let mut all = Vec::new();
        for _ in 0..500 {
            all.push(client.next().await);
        }
        heard.push(all);
    }
    assert!(heard.iter().all(|all| *all == heard[0]));
    room.say(Message::Text("tick 1".to_owned()));
    for client in &mut clients {
        Client::check(&client.next().await, &Message::Text("tick 1".to_owned()));
    }
    stop.cancel();
    for client in &mut clients {
        assert!(matches!(client.next().await, Event::Closed { clean: true, .. }));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_holds_up_nobody() {
    let (addr, _stop) = serve(&Room::default()).await;
    let mut slow = TcpStream::connect(addr).await.unwrap();
    let request = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(slow.read_u8().await.unwrap());
    }
    let mut quick = Client::enter(addr).await;
    let message = Message::Binary(vec![0x5a; 1 << 20]);
    for _ in 0..100 {
        quick.say(message.clone());
        Client::check(&quick.next().await, &message);
    }
    // A reset is an end too.
    let mut rest = Vec::new();
    let _ = timeout(LIMIT, slow.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() < 100 << 20, "{}", rest.len());
}
