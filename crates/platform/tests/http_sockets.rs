//! What a client may do to a socket, and what it does to everybody else: nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod http_support;

use std::convert::Infallible;
use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use http_support::{Program, bounded, is_problem, read_all, read_until, status};
use platform::http::extract::{Json, RawBody};
use platform::http::{Allowance, Limits, allow};
use platform::tasks::CancellationToken;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

const MIB: usize = 1024 * 1024;

fn routes() -> Router {
    let large = Allowance { body_bytes: 8 << 20, deadline: Duration::from_secs(30) };
    Router::new()
        .route("/hello", get(async || "hello"))
        .route("/length", post(async |RawBody(bytes): RawBody| Json(bytes.len())))
        .route(
            "/import",
            post(async |RawBody(bytes): RawBody| Json(bytes.len())).route_layer(allow(large)),
        )
        .route("/panic", get(async || -> &'static str { panic!("secret of the handler") }))
        .route("/never", get(async || std::future::pending::<&'static str>().await))
}

async fn start(limits: Limits) -> Program {
    Program::start(routes(), limits).await
}

/// The shop still serves.
async fn serves(program: &Program) {
    let answer = program.get("/hello").await;
    assert!(status(&answer) == 200 && answer.ends_with("hello"), "{answer}");
}

/// Waits until the other side has closed the connection, and says what came and how long it took.
async fn closed(mut stream: TcpStream) -> (String, Duration) {
    let started = Instant::now();
    let text = read_all(&mut stream).await;
    (text, started.elapsed())
}

#[tokio::test]
async fn a_head_that_trickles_in_is_not_waited_for() {
    let program = start(Limits { header_read_ms: 300, ..Limits::default() }).await;
    let mut slow = program.connect().await;
    slow.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let (mut reader, mut writer) = slow.into_split();
    let trickle = platform::tasks::spawn("trickle", async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while writer.write_all(b"x: y\r\n").await.is_ok() {
            ticks.tick().await;
        }
    });
    serves(&program).await;
    let started = Instant::now();
    let mut text = Vec::new();
    let _ = bounded(reader.read_to_end(&mut text)).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(!String::from_utf8_lossy(&text).contains("200 OK"));
    bounded(trickle).await.unwrap();
}

#[tokio::test]
async fn two_thousand_sockets_that_say_nothing_hurt_nobody_and_are_closed() {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let files = limits.lines().find(|line| line.starts_with("Max open files"));
    let files = files.and_then(|line| line.split_whitespace().nth(3)?.parse().ok());
    // Both ends of each are in this process.
    let count = 2_000.min((files.unwrap_or(1_024_usize) - 100) / 2);
    let program = start(Limits { header_read_ms: 1_500, ..Limits::default() }).await;
    let mut silent = Vec::new();
    for _ in 0..count {
        silent.push(program.connect().await);
    }
    let started = Instant::now();
    serves(&program).await;
    assert!(started.elapsed() < Duration::from_secs(1), "others wait");
    for stream in silent {
        let (text, _) = closed(stream).await;
        assert_eq!(text, "");
    }
    serves(&program).await;
}

#[tokio::test]
async fn a_connection_that_was_used_may_rest_a_while_but_not_for_ever() {
    let limits = Limits { idle_ms: 400, header_read_ms: 10_000, ..Limits::default() };
    let program = start(limits).await;
    let mut stream = program.connect().await;
    stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_until(&mut stream, "hello").await;
    let (text, took) = closed(stream).await;
    assert_eq!(text, "");
    assert!(took >= Duration::from_millis(250) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_connection_beyond_the_cap_waits_until_another_has_gone() {
    let program = start(Limits { connections: 2, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = program.connect().await;
        stream.write_all(b"GET /hello HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        read_until(&mut stream, "hello").await;
        held.push(stream);
    }
    let mut third = program.connect().await;
    let ask = b"GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    third.write_all(ask).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(200), third.readable()).await;
    assert!(early.is_err(), "it was served beyond the cap");
    held.pop();
    let answer = read_all(&mut third).await;
    assert!(status(&answer) == 200 && answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn heads_and_addresses_that_are_too_long_are_refused() {
    let program = start(Limits::default()).await;
    for bytes in [64 * 1024, 40 * 1024, 300 * 1024] {
        let long = "y".repeat(bytes);
        let head =
            format!("GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {long}\r\n\r\n");
        let answer = program.say(&head).await;
        assert_eq!(status(&answer), 431, "{bytes}: {answer:.200}");
        assert!(bytes > 64 * 1024 || is_problem(&answer, "headers-too-large"), "{bytes}: {answer}");
        serves(&program).await;
    }
    let many: String = (0..500).map(|n| format!("x{n}: y\r\n")).collect();
    let answer = program.say(&format!("GET /hello HTTP/1.1\r\nhost: x\r\n{many}\r\n")).await;
    assert_eq!(status(&answer), 431, "{answer}");
    for bytes in [32 * 1024, 60 * 1024] {
        let answer = program.get(&format!("/hello?{}", "q".repeat(bytes))).await;
        assert_eq!(status(&answer), 414, "{bytes}: {answer}");
        assert!(bytes > 32 * 1024 || is_problem(&answer, "uri-too-long"), "{answer}");
    }
    serves(&program).await;
}

#[tokio::test]
async fn a_body_that_does_not_end_is_cut_off_at_the_limit() {
    let program = start(Limits::default()).await;
    let stream = program.connect().await;
    let (mut reader, mut writer) = stream.into_split();
    let sending = platform::tasks::spawn("endless body", async move {
        let head = "POST /length HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
        writer.write_all(head.as_bytes()).await.unwrap();
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
        let mut sent = 0;
        while sent < 100 * MIB && writer.write_all(chunk.as_bytes()).await.is_ok() {
            sent += chunk.len();
        }
        sent
    });
    let mut bytes = Vec::new();
    let _ = bounded(reader.read_to_end(&mut bytes)).await;
    let answer = String::from_utf8_lossy(&bytes);
    assert_eq!(status(&answer), 413, "{answer}");
    assert!(is_problem(&answer, "payload-too-large"), "{answer}");
    assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(bounded(sending).await.unwrap() < 100 * MIB, "all of it was taken");
    serves(&program).await;
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_read_reaches_who_still_sends_it() {
    let program = start(Limits::default()).await;
    for _ in 0..20 {
        let mut stream = program.connect().await;
        let head =
            format!("POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 4 * MIB);
        stream.write_all(head.as_bytes()).await.unwrap();
        for _ in 0..4 {
            stream.write_all(&vec![b'x'; MIB]).await.unwrap();
        }
        let answer = read_all(&mut stream).await;
        assert_eq!(status(&answer), 404, "{answer}");
        assert!(answer.to_lowercase().contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_whose_bodies_were_read_takes_the_next_request() {
    let program = start(Limits::default()).await;
    let mut stream = program.connect().await;
    for _ in 0..3 {
        let text = "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc";
        stream.write_all(text.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n3").await;
        assert_eq!(status(&answer), 200, "{answer}");
        assert!(!answer.to_lowercase().contains("connection: close"), "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_need_not_be_sent() {
    let program = start(Limits::default()).await;
    let answer = program
        .say("POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 104857600\r\nexpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(status(&answer), 413, "{answer}");
    assert!(is_problem(&answer, "payload-too-large"), "{answer}");
}

/// A POST of `body`, compressed or not.
fn posted(path: &str, encoding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{encoding}content-length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

fn compressed(bytes: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![0; MIB];
    for _ in 0..bytes / MIB {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

async fn send(program: &Program, bytes: &[u8]) -> String {
    let mut stream = program.connect().await;
    stream.write_all(bytes).await.unwrap();
    read_all(&mut stream).await
}

#[tokio::test]
async fn a_compressed_body_counts_as_what_it_becomes() {
    let program = start(Limits::default()).await;
    let gzip = "content-encoding: gzip\r\n";
    let fits = send(&program, &posted("/length", gzip, &compressed(MIB))).await;
    assert!(status(&fits) == 200 && fits.ends_with("1048576"), "{fits}");
    let bomb = compressed(200 * MIB);
    assert!(bomb.len() < 2 * MIB);
    let answer = send(&program, &posted("/length", gzip, &bomb)).await;
    assert_eq!(status(&answer), 413, "{answer}");
    assert!(is_problem(&answer, "payload-too-large"), "{answer}");
    let broken = send(&program, &posted("/length", gzip, b"this is not gzip")).await;
    assert!(is_problem(&broken, "malformed"), "{broken}");
    serves(&program).await;
}

#[tokio::test]
async fn a_route_may_take_more_than_the_others() {
    let program = start(Limits::default()).await;
    let answer = send(&program, &posted("/import", "", &vec![b'x'; 8 * MIB])).await;
    assert!(status(&answer) == 200 && answer.ends_with("8388608"), "{answer}");
    let answer = send(&program, &posted("/import", "", &vec![b'x'; 8 * MIB + 1])).await;
    assert!(is_problem(&answer, "payload-too-large"), "{answer}");
}

#[tokio::test]
async fn a_body_that_trickles_in_is_not_waited_for() {
    let program = start(Limits { body_read_ms: 300, ..Limits::default() }).await;
    let stream = program.connect().await;
    let (mut reader, mut writer) = stream.into_split();
    let trickle = platform::tasks::spawn("trickle", async move {
        let head = "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
        writer.write_all(head.as_bytes()).await.unwrap();
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        while writer.write_all(b"x").await.is_ok() {
            ticks.tick().await;
        }
    });
    serves(&program).await;
    let started = Instant::now();
    let mut bytes = Vec::new();
    let _ = bounded(reader.read_to_end(&mut bytes)).await;
    let answer = String::from_utf8_lossy(&bytes);
    assert_eq!(status(&answer), 408, "{answer}");
    assert!(is_problem(&answer, "request-timeout"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(5));
    bounded(trickle).await.unwrap();
}

#[tokio::test]
async fn a_handler_that_panics_fails_alone_and_is_counted() {
    let metrics = platform::telemetry::metrics().unwrap();
    let count = || {
        let text = metrics.render();
        let line =
            text.lines().find(|line| line.starts_with("http_panics_total")).unwrap_or_default();
        line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0)
    };
    let program = start(Limits::default()).await;
    let before = count();
    for _ in 0..3 {
        let answer = program.get("/panic").await;
        assert!(status(&answer) == 500 && is_problem(&answer, "internal"), "{answer}");
        assert!(
            answer.contains("trace_id") && !answer.contains("secret of the handler"),
            "{answer}"
        );
    }
    assert_eq!(count(), before + 3);
    serves(&program).await;
    let text = metrics.render();
    let line = r#"http_requests_total{route="/panic",method="GET",status="500"}"#;
    assert!(text.contains(line), "{text}");
    assert!(text.contains(r#"http_request_seconds_bucket{route="/hello",le="#), "{text}");
}

#[tokio::test]
async fn a_handler_that_does_not_answer_is_answered_for() {
    let program = start(Limits { deadline_ms: 200, ..Limits::default() }).await;
    let answer = program.get("/never").await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(
        is_problem(&answer, "deadline-exceeded") && answer.contains("retry-after: 1"),
        "{answer}"
    );
}

#[tokio::test]
async fn more_than_can_be_worked_on_is_turned_away_and_the_rest_is_served() {
    let limits = Limits { in_flight: 2, deadline_ms: 1_000, ..Limits::default() };
    let program = start(limits).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = program.connect().await;
        stream
            .write_all(b"GET /never HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        held.push(stream);
    }
    // The two have arrived once a third is turned away.
    let shed = bounded(async {
        loop {
            let answer = program.get("/hello").await;
            if status(&answer) != 200 {
                return answer;
            }
        }
    })
    .await;
    assert_eq!(status(&shed), 503, "{shed}");
    assert!(is_problem(&shed, "overloaded") && shed.contains("retry-after: 1"), "{shed}");
    for stream in held {
        let (answer, _) = closed(stream).await;
        assert!(is_problem(&answer, "deadline-exceeded"), "{answer}");
    }
    serves(&program).await;
}

#[tokio::test]
async fn a_live_view_outlasts_the_deadline_and_ends_with_the_program() {
    let events = get(async || {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        let lines = futures_util::stream::poll_fn(move |cx| {
            ticks.poll_tick(cx).map(|_| Some(Ok::<_, Infallible>(Bytes::from("data: x\n\n"))))
        });
        ([("content-type", "text/event-stream")], Body::from_stream(lines))
    });
    let limits = Limits { deadline_ms: 100, drain_ms: 300, idle_ms: 1_000, ..Limits::default() };
    let program = Program::start(Router::new().route("/events", events), limits).await;
    let mut stream = program.connect().await;
    stream.write_all(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1_500) {
        read_until(&mut stream, "data: x").await;
    }
    assert!(!program.stopped().await.finished, "a view that never ends is cut off");
    read_all(&mut stream).await;
}

#[tokio::test]
async fn a_program_that_stops_finishes_what_it_has_begun() {
    let (begun, go) = (CancellationToken::new(), CancellationToken::new());
    let handler = {
        let (begun, go) = (begun.clone(), go.clone());
        async move || {
            begun.cancel();
            go.cancelled().await;
            "finished"
        }
    };
    let routes = Router::new().route("/slow", get(handler));
    let program = Program::start(routes, Limits::default()).await;
    let mut idle = program.connect().await;
    let mut stream = program.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    bounded(begun.cancelled()).await;
    program.stop.cancel();
    assert_eq!(read_all(&mut idle).await, "", "a connection without a request is closed");
    let refused = bounded(async {
        while TcpStream::connect(program.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    refused.await;
    go.cancel();
    let answer = read_all(&mut stream).await;
    assert!(status(&answer) == 200 && answer.ends_with("finished"), "{answer}");
    assert!(program.stopped().await.finished);
}

#[tokio::test]
async fn a_request_whose_length_is_told_twice_is_not_guessed_at() {
    let program = start(Limits::default()).await;
    for head in [
        "content-length: 3\r\ncontent-length: 4\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "content-length: +3\r\n",
        "x: a\r\n b\r\ncontent-length: 3\r\n",
    ] {
        let text = format!(
            "POST /length HTTP/1.1\r\nhost: x\r\n{head}\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nhost: x\r\n\r\n"
        );
        let answer = program.say(&text).await;
        assert_eq!(status(&answer), 400, "{head:?}: {answer}");
        assert!(!answer.contains("hello"), "{head:?}: {answer}");
    }
    // Both kinds of length: read as chunks, as RFC 9112 has it, and nothing after it is believed.
    let both = "POST /length HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n\
                0\r\n\r\nGET /hello HTTP/1.1\r\nhost: x\r\n\r\n";
    let answer = program.say(both).await;
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    assert!(!answer.contains("hello"), "{answer}");
    serves(&program).await;
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn preface() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes
}

/// `GET <path>` of `x`, in HPACK without tables.
fn asking(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x41, 1, b'x', 0x04, u8::try_from(path.len()).unwrap()];
    block.extend_from_slice(path.as_bytes());
    block
}

/// The frames in what came, as kind, stream and payload.
fn frames(mut bytes: &[u8]) -> Vec<(u8, u32, Vec<u8>)> {
    let mut frames = Vec::new();
    while bytes.len() >= 9 {
        let length =
            usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2]);
        let stream = u32::from_be_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]);
        let Some(payload) = bytes.get(9..9 + length) else { break };
        frames.push((bytes[3], stream, payload.to_vec()));
        bytes = &bytes[9 + length..];
    }
    frames
}

#[tokio::test]
async fn http_2_is_spoken_and_an_idle_connection_of_it_is_closed_too() {
    let program = start(Limits { idle_ms: 300, ..Limits::default() }).await;
    let mut stream = program.connect().await;
    let mut said = preface();
    said.extend(frame(HEADERS, END_STREAM | END_HEADERS, 1, &asking("/hello")));
    stream.write_all(&said).await.unwrap();
    let mut bytes = Vec::new();
    let _ = bounded(stream.read_to_end(&mut bytes)).await;
    let frames = frames(&bytes);
    // 0x88 is ":status: 200".
    let status = frames.iter().find(|(kind, stream, _)| (*kind, *stream) == (HEADERS, 1));
    assert_eq!(status.map(|(_, _, payload)| payload[0]), Some(0x88), "{frames:?}");
    assert!(
        frames.iter().any(|(kind, _, payload)| *kind == 0 && payload == b"hello"),
        "{frames:?}"
    );
}

#[tokio::test]
async fn streams_that_are_opened_and_reset_at_once_end_the_connection() {
    let program = start(Limits::default()).await;
    let stream = program.connect().await;
    let (mut reader, mut writer) = stream.into_split();
    let flood = platform::tasks::spawn("rapid reset", async move {
        writer.write_all(&preface()).await.unwrap();
        for batch in 0..100_u32 {
            let mut bytes = Vec::new();
            for n in 0..1_000 {
                let stream = (batch * 1_000 + n) * 2 + 1;
                bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &asking("/hello")));
                bytes.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            }
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
    });
    let mut bytes = Vec::new();
    let _ = bounded(reader.read_to_end(&mut bytes)).await;
    bounded(flood).await.unwrap();
    let told = frames(&bytes).into_iter().find(|(kind, _, _)| *kind == GOAWAY);
    // The last stream that was looked at, and the reason: ENHANCE_YOUR_CALM.
    let (_, _, goaway) = told.expect("no GOAWAY");
    let last = u32::from_be_bytes([goaway[0], goaway[1], goaway[2], goaway[3]]);
    assert!(last < 1_000 && goaway[7] == 11, "{goaway:?}");
    serves(&program).await;
}

#[tokio::test]
async fn headers_that_never_end_end_the_connection() {
    let program = start(Limits::default()).await;
    let stream = program.connect().await;
    let (mut reader, mut writer) = stream.into_split();
    let flood = platform::tasks::spawn("continuation flood", async move {
        let mut said = preface();
        said.extend(frame(HEADERS, END_STREAM, 1, &asking("/hello")));
        writer.write_all(&said).await.unwrap();
        let mut more = Vec::new();
        for _ in 0..100 {
            // A literal header field without indexing: name "a", value of 100 bytes.
            more.extend([0, 1, b'a', 100]);
            more.extend([b'y'; 100]);
        }
        let more = frame(CONTINUATION, 0, 1, &more);
        let mut sent = 0;
        while sent < 64 * MIB && writer.write_all(&more).await.is_ok() {
            sent += more.len();
        }
        sent
    });
    let mut bytes = Vec::new();
    let _ = bounded(reader.read_to_end(&mut bytes)).await;
    assert!(bounded(flood).await.unwrap() < 64 * MIB, "all of it was taken");
    serves(&program).await;
}
