//! Tests with replies that end, replies that never end, and replies to no command, received in pieces of any size.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// Reads one reply, or as much of it as arrives.
async fn reply(replies: &mut Replies<DuplexStream>) -> io::Result<String> {
    let mut text = Vec::new();
    while replies.awaited.is_some() {
        if replies.read_buf(&mut text).await? == 0 {
            break;
        }
    }
    Ok(String::from_utf8(text).expect("replies are ASCII"))
}

fn fault(error: &io::Error) -> Option<LineFault> {
    error.get_ref()?.downcast_ref().copied()
}

#[tokio::test]
async fn a_command_has_one_reply_of_one_line_or_several() {
    for piece_bytes in [1, 7, 100_000] {
        let (ours, mut server) = duplex(piece_bytes);
        let speaking = tokio::spawn(async move {
            server.write_all(b"220 ready\r\n").await.expect("taken");
            let mut heard = [0; 6];
            server.read_exact(&mut heard).await.expect("a command");
            server.write_all(b"250-one\r\n250-two\r\n250 three\r\n").await.expect("taken");
            heard
        });
        let mut replies = Replies::new(ours);
        assert_eq!(reply(&mut replies).await.expect("a greeting"), "220 ready\r\n");
        replies.write_all(b"EHLO\r\n").await.expect("sent");
        assert_eq!(reply(&mut replies).await.expect("a reply"), "250-one\r\n250-two\r\n250 three\r\n");
        assert_eq!(&speaking.await.expect("heard"), b"EHLO\r\n");
    }
}

#[tokio::test]
async fn what_does_not_end_is_an_error_long_before_it_takes_memory() {
    let lines = |line: &str, times: usize| line.repeat(times).into_bytes();
    for (said, expected) in [
        (lines("x", 10 << 20), LineFault::LineTooLong),
        ([b"250-".to_vec(), lines("y", 9000)].concat(), LineFault::LineTooLong),
        (lines(&format!("250-{}\r\n", "z".repeat(8000)), 1000), LineFault::ReplyTooLong),
        (lines("250-\r\n", 100_000), LineFault::ReplyTooLong),
        (b"220 ready\n".to_vec(), LineFault::BareLineFeed),
        (b"220-ready\r\n220 x\n".to_vec(), LineFault::BareLineFeed),
    ] {
        for piece_bytes in [13, 64 << 10] {
            let (ours, mut server) = duplex(piece_bytes);
            let said = said.clone();
            // The server sends as long as the client reads.
            let speaking = tokio::spawn(async move { server.write_all(&said).await.is_err() });
            let mut replies = Replies::new(ours);
            let error = reply(&mut replies).await.expect_err("it does not end");
            assert_eq!(fault(&error), Some(expected), "{error}");
            assert!(replies.held.capacity() <= CHUNK_BYTES);
            drop(replies);
            speaking.await.expect("no panic");
        }
    }
}

#[tokio::test]
async fn a_reply_that_is_as_long_as_it_may_be_is_read() {
    let whole = format!("250-{}\r\n", "x".repeat(LINE_BYTES_MAX - 6)).repeat(7) + "250 end\r\n";
    let (ours, mut server) = duplex(1 << 20);
    server.write_all(whole.as_bytes()).await.expect("room for it");
    assert_eq!(reply(&mut Replies::new(ours)).await.expect("a reply"), whole);
}

#[tokio::test]
async fn what_is_said_before_it_is_asked_answers_nothing() {
    // The server sends `250 early` although no command was sent. It arrives before the client has read the greeting (`later` is false) or
    // after that. Either way the next command must fail, so that this reply is not taken for the reply to it.
    for later in [false, true] {
        let (ours, mut server) = duplex(1 << 10);
        let mut replies = Replies::new(ours);
        server.write_all(b"220 ready\r\n").await.expect("taken");
        if later {
            reply(&mut replies).await.expect("a greeting");
        }
        server.write_all(b"250 early\r\n").await.expect("taken");
        if !later {
            // The unasked octets behind the greeting do not make the greeting invalid. The same holds at the end of a session: a relay that
            // accepts a mail and closes the connection at once has accepted the mail.
            assert_eq!(reply(&mut replies).await.expect("a greeting"), "220 ready\r\n");
        }
        assert_eq!(replies.has_surplus(), !later);
        let error = replies.write_all(b"NOOP\r\n").await.expect_err("the next reply would be another's");
        assert_eq!(fault(&error), Some(LineFault::Unasked));
    }
    let (ours, server) = duplex(1 << 10);
    let mut replies = Replies { awaited: None, ..Replies::new(ours) };
    drop(server);
    assert!(replies.write_all(b"NOOP\r\n").await.is_err(), "a stream that has ended takes no command");
}

#[tokio::test]
async fn words_in_another_character_set_keep_their_code() {
    let (ours, mut server) = duplex(1 << 10);
    server.write_all(b"550 5.1.1 Bo\xEEte \x1b[2J \xC3\xAE\r\n").await.expect("taken");
    assert_eq!(reply(&mut Replies::new(ours)).await.expect("a reply"), "550 5.1.1 Bo?te ?[2J ??\r\n");
}
